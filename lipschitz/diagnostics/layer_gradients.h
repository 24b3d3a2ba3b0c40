// How much of the gradient is left at every layer on its way back.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/diagnostics/function_chain.h"

namespace lipschitz {

struct LayerGradient {
  // "input", then the names of the layers or functions.
  std::string layer;
  // (n), float64: of the chosen output's gradient with respect to this layer's
  // output (the network's input), for every example.
  at::Tensor norms;
  double mean = 0.0;
  double min = 0.0;
  double max = 0.0;
};

// The input first, the last layer last, whose gradient is a unit vector. For
// x (n, ...) float32 or float64 and an output (n) or (n, m), of which `targets`
// (n), int64, picks one for every example; undefined: the network has only one.
// (All logits: once for each, with targets full of it.) Norms are dual to
// `norm` (l1 ↔ linf), as those of InputGradientNorms. In a network whose
// linear layers have orthonormal rows and whose activations preserve gradients
// all l2 norms are 1. The network is evaluated in the mode and type that it is
// in.
//
// InvalidArgument where outputs or targets do not fit.
absl::StatusOr<std::vector<LayerGradient>> LayerGradients(
    LayerImpl& network, const at::Tensor& x, const at::Tensor& targets = {},
    Norm norm = Norm::kL2);

// The same of any functions that are applied one after the other.
absl::StatusOr<std::vector<LayerGradient>> LayerGradients(
    const std::vector<NamedFunction>& chain, const at::Tensor& x,
    const at::Tensor& targets = {}, Norm norm = Norm::kL2);

}  // namespace lipschitz
