#include "lipschitz/losses/jacobian_penalty.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <vector>

namespace lipschitz {
namespace {

void Check(const at::Tensor& outputs, const at::Tensor& inputs) {
  TORCH_CHECK(outputs.dim() >= 1 && inputs.dim() >= 1 &&
                  outputs.size(0) == inputs.size(0) && outputs.numel() > 0 &&
                  inputs.numel() > 0,
              "Jacobian penalty: outputs and inputs must be (batch, ...) of "
              "one batch, at least one example, got ",
              outputs.sizes(), " and ", inputs.sizes());
  TORCH_CHECK(outputs.requires_grad() && inputs.requires_grad(),
              "Jacobian penalty: the outputs must be computed, with gradients "
              "enabled, from inputs that require one");
}

// J_bᵀ u_b for each example, in the shape of the inputs, with its own graph.
at::Tensor TransposedProduct(const at::Tensor& outputs,
                             const at::Tensor& inputs, const at::Tensor& u) {
  return torch::autograd::grad({outputs}, {inputs}, {u}, /*retain_graph=*/true,
                               /*create_graph=*/true)[0];
}

// (batch): the length of each example.
at::Tensor Lengths(const at::Tensor& x) {
  return at::linalg_vector_norm(x.reshape({x.size(0), -1}), /*ord=*/2,
                                /*dim=*/at::IntArrayRef{1});
}

// Each example at length 1, or 0 where it is.
at::Tensor Normalised(const at::Tensor& x) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[0] = x.size(0);
  const at::Tensor lengths = Lengths(x).reshape(shape);
  return x / lengths.masked_fill(lengths == 0, 1.0);
}

// A random direction for each example, in the shape of `like`.
at::Tensor RandomDirections(const at::Tensor& like,
                            const at::Generator& generator) {
  // The same numbers for every type and device.
  return Normalised(
      at::randn(like.sizes(), generator, at::TensorOptions(at::kDouble))
          .to(like.options().requires_grad(false)));
}

}  // namespace

at::Tensor JacobianSpectralNorms(const at::Tensor& outputs,
                                 const at::Tensor& inputs,
                                 const at::Generator& generator,
                                 int iterations) {
  Check(outputs, inputs);
  TORCH_CHECK(iterations >= 0,
              "Jacobian penalty: the iterations must not be negative, got ",
              iterations);
  at::Tensor u = RandomDirections(outputs, generator);
  if (iterations > 0) {
    // w ↦ Jᵀw is linear: its own transposed product with v is J v.
    const at::Tensor w = at::zeros_like(outputs).requires_grad_(true);
    const at::Tensor jt_w = TransposedProduct(outputs, inputs, w);
    for (int i = 0; i < iterations; ++i) {
      const auto product = [](const at::Tensor& of, const at::Tensor& by,
                              const at::Tensor& with) {
        return torch::autograd::grad({of}, {by}, {with},
                                     /*retain_graph=*/true)[0];
      };
      const at::Tensor v = Normalised(product(outputs, inputs, u));
      u = Normalised(product(jt_w, w, v));
    }
  }
  return Lengths(TransposedProduct(outputs, inputs, u));
}

at::Tensor SpectralJacobianPenalty(const at::Tensor& outputs,
                                   const at::Tensor& inputs,
                                   const at::Generator& generator,
                                   int iterations) {
  return JacobianSpectralNorms(outputs, inputs, generator, iterations).mean();
}

at::Tensor JacobianSquaredFrobeniusNorms(const at::Tensor& outputs,
                                         const at::Tensor& inputs,
                                         const at::Generator& generator,
                                         int projections) {
  Check(outputs, inputs);
  TORCH_CHECK(projections >= 0,
              "Jacobian penalty: the projections must not be negative, got ",
              projections);
  const int64_t width = outputs.numel() / outputs.size(0);
  const auto squared = [&](const at::Tensor& u) {
    const at::Tensor gradient = TransposedProduct(outputs, inputs, u);
    return gradient.reshape({gradient.size(0), -1}).square().sum(1);
  };
  at::Tensor sum =
      at::zeros({outputs.size(0)}, inputs.options().requires_grad(false));
  if (projections == 0) {
    for (int64_t i = 0; i < width; ++i) {
      at::Tensor u = at::zeros({outputs.size(0), width},
                               outputs.options().requires_grad(false));
      u.select(1, i).fill_(1.0);
      sum = sum + squared(u.reshape(outputs.sizes()));
    }
    return sum;
  }
  for (int i = 0; i < projections; ++i) {
    sum = sum + squared(RandomDirections(outputs, generator));
  }
  return sum * (static_cast<double>(width) / projections);
}

at::Tensor FrobeniusJacobianPenalty(const at::Tensor& outputs,
                                    const at::Tensor& inputs,
                                    const at::Generator& generator,
                                    int projections) {
  return JacobianSquaredFrobeniusNorms(outputs, inputs, generator, projections)
      .mean();
}

}  // namespace lipschitz
