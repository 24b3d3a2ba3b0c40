#include "lipschitz/losses/gradient_penalty.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <vector>

namespace lipschitz {

at::Tensor RandomPointsBetween(const at::Tensor& x, const at::Tensor& y,
                               const at::Generator& generator) {
  TORCH_CHECK(x.dim() >= 1 && x.sizes() == y.sizes(),
              "points between: x and y must have the same shape, got ",
              x.sizes(), " and ", y.sizes());
  std::vector<int64_t> shape(x.dim(), 1);
  shape[0] = x.size(0);
  const at::Tensor t =
      at::rand(shape, generator, at::TensorOptions(at::kDouble))
          .to(x.options().requires_grad(false));
  return (t * x.detach() + (1 - t) * y.detach()).requires_grad_(true);
}

at::Tensor GradientNormPenalty(const at::Tensor& outputs,
                               const at::Tensor& inputs) {
  TORCH_CHECK(inputs.dim() >= 1 && inputs.size(0) >= 1 &&
                  outputs.numel() == inputs.size(0),
              "gradient penalty: needs one output for each of the inputs, got "
              "the shapes ",
              outputs.sizes(), " and ", inputs.sizes());
  TORCH_CHECK(outputs.requires_grad() && inputs.requires_grad(),
              "gradient penalty: the outputs must be computed, with gradients "
              "enabled, from inputs that require one");
  const at::Tensor gradient =
      torch::autograd::grad({outputs}, {inputs}, {at::ones_like(outputs)},
                            /*retain_graph=*/true, /*create_graph=*/true)[0];
  return (at::linalg_vector_norm(gradient.flatten(1), /*ord=*/2,
                                 /*dim=*/at::IntArrayRef{1}) -
          1)
      .square()
      .mean();
}

}  // namespace lipschitz
