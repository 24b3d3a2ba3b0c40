// What a constraint is to the convolution that has it.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace lipschitz {

// Holds the raw parameters and makes of them the kernel that the layer applies.
// Buffers are saved and moved with the model and never trained.
class KernelConstraint : public torch::nn::Module {
 public:
  explicit KernelConstraint(std::string name)
      : torch::nn::Module(std::move(name)) {}

  // (out_channels, in_channels, height, width), differentiable with respect to
  // the parameters. In training mode it may update the buffers; in evaluation
  // it depends on the parameters alone.
  virtual absl::StatusOr<torch::Tensor> Kernel() = 0;

  // Mends the parameters in place after an optimiser step. The default does
  // nothing.
  virtual void AfterOptimizerStep() {}

  // Mends the parameters in place after the last step. The default does
  // nothing.
  virtual void AfterTraining() {}
};

}  // namespace lipschitz
