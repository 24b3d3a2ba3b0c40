// Which units of a network are at work.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/diagnostics/function_chain.h"

namespace lipschitz {

// Of one activation layer; units are numbered before the activation. For
// images a unit is a channel, and every pixel of every example is a place at
// which it is seen; else places are the examples.
struct ActivationStatistics {
  // Its name in the chain.
  std::string layer;
  ActivationSpec activation;
  // At how many places each unit was seen.
  int64_t places = 0;

  // (units), float64, in [0, 1]: the share of places with a positive value
  // before the activation. For ReLU: where the gradient passes.
  at::Tensor positive;

  // Of an activation that sorts (maxmin, groupsort, fullsort) or maxout; else
  // undefined. (units), float64: the share of places where the unit's value
  // went to another position of its group (sorting) or is the group's largest
  // (maxout).
  at::Tensor moved;
  // The same, for every group (groups), int64: the number of permutations that
  // occurred, between 1 (the group computes an affine map) and the factorial of
  // its size; maxout: of positions that were the largest.
  at::Tensor patterns;

  // The undead rate: the share of units that are positive at a share of places
  // of at least `threshold`; 1 at the threshold 0. (Anil et al. report it for
  // ReLU networks, whose other units are dead.)
  double UndeadRate(double threshold) const;
};

// Of every activation in FunctionsOf(network), for x (n, ...), n ≥ 1. The
// network is evaluated in the mode and type that it is in. InvalidArgument for
// an empty x.
absl::StatusOr<std::vector<ActivationStatistics>> CollectActivationStatistics(
    LayerImpl& network, const at::Tensor& x);

// The same of any functions that are applied one after the other.
absl::StatusOr<std::vector<ActivationStatistics>> CollectActivationStatistics(
    const std::vector<NamedFunction>& chain, const at::Tensor& x);

}  // namespace lipschitz
