// Distances between the points of two sets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lipschitz/base/norm.h"

namespace lipschitz {

// ‖x_i − y_j‖, (n, m), of points (n, dim) and (m, dim): norms of the
// differences, which do not cancel as the product ‖x‖² − 2x·y + ‖y‖² does. In
// float64 each is off by PairwiseDistanceError(dim) of itself at most, but for
// squares and sums beyond the range: those below it count as 0, those above it
// as infinity.
at::Tensor PairwiseDistances(const at::Tensor& x, const at::Tensor& y,
                             Norm norm);

double PairwiseDistanceError(int64_t dim);

}  // namespace lipschitz
