// Distances between the points of two sets.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lipschitz/base/norm.h"

namespace lipschitz {

// ‖x_i − y_j‖, (n, m), of points (n, dim) and (m, dim): norms of the
// differences, which do not cancel as the product ‖x‖² − 2x·y + ‖y‖² does.
// Infinite where a sum overflows.
at::Tensor PairwiseDistances(const at::Tensor& x, const at::Tensor& y,
                             Norm norm);

// By how much one that came out as `distance`, or less, can be off, in float64
// and in any norm: the rounding of dim + 4 operations, and squares below the
// range of float64.
double PairwiseDistanceError(double distance, int64_t dim);

}  // namespace lipschitz
