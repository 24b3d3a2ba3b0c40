// What the units of a network do over a set of inputs, in few numbers.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/diagnostics/activation_statistics.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/training/history.h"

namespace lipschitz::experiments {

// 0, 0.05, ..., 1: shares of inputs.
std::vector<double> Thresholds();

// The share of units that are on one side at a share of inputs of at least
// `threshold`: positive or not; of an activation that sorts in pairs, the share
// of pairs that are in one order. Where it is 1 at the threshold 1 the layer is
// affine on these inputs.
double FixedRate(const ActivationStatistics& layer, double threshold);

// Means over the activation layers, "nearly" being 95 % of the inputs:
//   undead_rate   share of units that are positive on nearly all inputs
//   dead_rate     ... on nearly none
//   fixed_rate    FixedRate
//   active_share  share of units and inputs with a positive value
//   first_share   of an activation that sorts in pairs: share of pairs and
//                 inputs where the first unit is the larger one
Metrics ActivityOf(const std::vector<ActivationStatistics>& layers);

// 1 − ‖mean J‖² / mean ‖J‖², with Frobenius norms, over the input Jacobians J
// at x (n, d): 0 where the network is one affine map on all of them, and near 1
// where the Jacobians have little in common. In evaluation, in float64;
// afterwards the network is again what it was.
absl::StatusOr<double> JacobianVariation(SequentialImpl& network,
                                         const torch::Tensor& x);

}  // namespace lipschitz::experiments
