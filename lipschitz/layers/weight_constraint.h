// What a constraint is to the layer that has it.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace lipschitz {

// A constraint with its state (spectral normalisation keeps u and v as buffers,
// so that they are saved and moved with the model and never trained).
class WeightConstraint : public torch::nn::Module {
 public:
  explicit WeightConstraint(std::string name)
      : torch::nn::Module(std::move(name)) {}

  // The weight to apply, (rows, columns) like `raw`, differentiable with
  // respect to it. In training mode it may update its state.
  virtual absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) = 0;

  // x Ŵᵀ, (..., columns) → (..., rows), with the weight that Constrain
  // returned: for constraints that shape the weight's gradient from its factors
  // (Stiefel).
  virtual torch::Tensor Apply(const torch::Tensor& x,
                              const torch::Tensor& weight) {
    return torch::matmul(x, weight.t());
  }

  // Mends the raw weight, which the layer has just drawn, in place before any
  // training: for constraints that only some weights meet (Stiefel). The
  // default does nothing.
  virtual void Initialise(torch::Tensor /*raw*/) {}

  // Mends the raw weight in place after an optimiser step (rescaling,
  // Parseval's pull, Stiefel's retraction). The default does nothing.
  virtual void AfterOptimizerStep(torch::Tensor /*raw*/) {}

  // Mends the raw weight in place after the last step. The default does
  // nothing.
  virtual void AfterTraining(torch::Tensor /*raw*/) {}
};

}  // namespace lipschitz
