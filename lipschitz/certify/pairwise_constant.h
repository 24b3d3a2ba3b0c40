// How fast the difference of two logits can change.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

// For a norm of the input, proven from above, for the weights that the network
// applies in its present mode and type:
//   |(f_y − f_j)(x) − (f_y − f_j)(x')| ≤ K_yj ‖x − x'‖.
struct PairwiseConstants {
  // The network's constant, from the norm to the same norm; may be infinite
  // where only other norms of the output have a bound.
  double network = 0.0;
  // One for all pairs, from the network's bounds alone: the least of √2 K
  // (output in l2), 2 K (linf) and K (l1). Finite.
  double naive = 0.0;
  // (classes, classes), float64: the body's constant times the dual norm of
  // w_y − w_j, the least over the norms between body and last layer, and never
  // more than `naive`. Undefined where the last layer is not Linear: `naive`
  // then stands for every pair.
  at::Tensor pairwise;
};

// An error where a layer states no bound, or the network no finite one.
absl::StatusOr<PairwiseConstants> BoundPairs(LayerImpl& network, Norm norm);

}  // namespace lipschitz
