// The singular values of a network's constrained weights.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipschitz {

struct WeightSpectrum {
  // Under which the layer is registered below the network, "body.linear1"; the
  // layer's own name where it is the network itself.
  std::string layer;
  // ConstraintName or ConvolutionConstraintName.
  std::string constraint;
  // Of scale · Ŵ as the layer applies it in evaluation, in its type, float64,
  // descending: (min(rows, columns)) of a Linear; of a Conv2d those of the map
  // between images (ConvolutionSingularValues).
  at::Tensor values;
  // Else only the largest is there.
  bool complete = true;
};

// Of every Linear and Conv2d of ours in `network`, in the order in which they
// are registered, wherever it is: in containers, residual blocks and modules of
// other classes. The network is in evaluation meanwhile. An error where a
// weight cannot be constrained.
absl::StatusOr<std::vector<WeightSpectrum>> WeightSpectra(
    torch::nn::Module& network);

}  // namespace lipschitz
