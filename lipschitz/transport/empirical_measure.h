// Points with masses.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"

namespace lipschitz {

struct EmpiricalMeasure {
  // (n, dim), n ≥ 1, dim ≥ 1, of any floating type.
  at::Tensor points;
  // (n), not negative, of any positive sum: masses are weights / sum.
  // Undefined: all equal.
  at::Tensor weights;
};

// The measure in float64 on the CPU, contiguous, with weights that are defined
// and sum to 1. InvalidArgument, with `name` and the first row at fault, for
// shapes that do not fit, values that are not finite, negative weights and
// weights that are all 0.
absl::StatusOr<EmpiricalMeasure> Normalised(const EmpiricalMeasure& measure,
                                            const std::string& name);

struct MeasurePair {
  EmpiricalMeasure p;
  EmpiricalMeasure q;
};

// Both, by the names P and Q, and of the same dimension.
absl::StatusOr<MeasurePair> NormalisedPair(const EmpiricalMeasure& p,
                                           const EmpiricalMeasure& q);

}  // namespace lipschitz
