// The optimisers that a training can choose from, by name.
#pragma once

#include <torch/optim/optimizer.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipschitz {

// Muon's rate is the angle, in radians, that a step turns an orthonormal weight
// by, and wants to be about ten times Adam's. kFastMuon is Muon with steps that
// are less precisely orthonormal, OrthogonaliseOptions::Fast().
enum class OptimizerKind { kAdam, kAggMo, kMuon, kFastMuon };

// "adam", "aggmo", "muon", "fast_muon".
std::string OptimizerName(OptimizerKind kind);
// InvalidArgument lists the known ones.
absl::StatusOr<OptimizerKind> ParseOptimizer(const std::string& name);

// With the defaults of its options beside the rate. A c10::Error for a rate
// that is not positive.
std::unique_ptr<torch::optim::Optimizer> MakeOptimizer(
    OptimizerKind kind, std::vector<torch::Tensor> parameters,
    double learning_rate);

}  // namespace lipschitz
