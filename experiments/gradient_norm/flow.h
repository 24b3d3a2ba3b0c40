// What is left of the gradient on its way back through a network.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz::experiments {

struct GradientFlow {
  // The network's input first, then every layer.
  std::vector<LayerGradient> layers;
  // How many layers at the end of the network, without one between them that
  // does not, keep the norm of gradients (KeepsGradientNorm), and the largest
  // |‖gradient‖ − 1| in front of any of them, over all examples.
  int64_t keeping_layers = 0;
  double keeping_deviation = 0.0;
  // The same in the network's own type instead of float64: with the weights'
  // and all other rounding errors.
  double keeping_deviation_own = 0.0;
  // Of the input Jacobian, (n, min(outputs, inputs)), float64, descending.
  torch::Tensor singular_values;
};

// Whether J Jᵀ = I by construction: linear layers of orthonormal rows (so not
// wider than their input), and activations that preserve gradient norms.
bool KeepsGradientNorm(const LayerImpl& layer);

// Of a network at x (n, d), in evaluation, in float64 where nothing else is
// said; afterwards it is again what it was. `targets` as LayerGradients takes
// them.
absl::StatusOr<GradientFlow> MeasureGradientFlow(SequentialImpl& network,
                                                 const torch::Tensor& x,
                                                 const torch::Tensor& targets);

}  // namespace lipschitz::experiments
