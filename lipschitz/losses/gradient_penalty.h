// The gradient penalty of I. Gulrajani et al., "Improved Training of
// Wasserstein GANs" (NeurIPS 2017).
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace lipschitz {

// Points on the segments between x_b and y_b, (batch, ...), uniform on each,
// drawn from `generator` (on the CPU). Without a graph; they require a
// gradient. A c10::Error unless x and y have the same shape.
at::Tensor RandomPointsBetween(const at::Tensor& x, const at::Tensor& y,
                               const at::Generator& generator);

// mean_b (‖∇f(x_b)‖₂ − 1)² from the outputs f(x), one number an example, and
// the inputs x, (batch, ...), that they were computed from and that required a
// gradient; example b of the outputs depends on example b of the inputs alone
// (no batch normalisation). Equation 3 of the paper, without its λ. It can be
// differentiated with respect to whatever else the outputs were computed from,
// which takes second derivatives of f. A c10::Error where the batches do not
// fit or no gradient flows from outputs to inputs.
at::Tensor GradientNormPenalty(const at::Tensor& outputs,
                               const at::Tensor& inputs);

}  // namespace lipschitz
