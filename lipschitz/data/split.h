// Which images are for training and which for validation. Indices are int64,
// ascending, and follow from the arguments alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace lipschitz {

// Disjoint, together everything.
struct Split {
  at::Tensor train;
  at::Tensor validation;
};

// Holds `held_out` of the images out, drawn with `seed`, every class in its
// share (rounded by largest remainders: within one image of it). `labels` is
// int64 (n) with values from 0. For a fraction f: held_out = llround(f n).
// InvalidArgument unless 0 <= held_out < n.
absl::StatusOr<Split> StratifiedSplit(const at::Tensor& labels,
                                      int64_t held_out, uint64_t seed);

// Holds the last `held_out` of n images out, in file order, as the authors'
// code does with 6000 of MNIST's 60000.
absl::StatusOr<Split> LastSplit(int64_t n, int64_t held_out);

// `per_class` images of every class from 0 to classes − 1, drawn with `seed`;
// for one seed a smaller subset is contained in a larger one. InvalidArgument
// where a class has fewer.
absl::StatusOr<at::Tensor> BalancedSubset(const at::Tensor& labels,
                                          int64_t classes, int64_t per_class,
                                          uint64_t seed);

}  // namespace lipschitz
