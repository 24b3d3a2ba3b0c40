// How steep a scalar network is around each of its inputs.
#pragma once

#include <torch/types.h>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

// ‖∇f(x_b)‖ for every example of x (batch, ...), in the norm dual to `norm`
// (l1 ↔ linf, l2 ↔ l2): (batch), in the type of x. Where f is differentiable
// it is at most the Lipschitz constant of f for distances in `norm`, and equals
// it on the segments along which an optimal critic moves mass. The network is
// evaluated in the mode and type that it is in.
//
// InvalidArgument where the network has more outputs than one per example.
absl::StatusOr<torch::Tensor> InputGradientNorms(LayerImpl& network,
                                                 const torch::Tensor& x,
                                                 Norm norm);

}  // namespace lipschitz
