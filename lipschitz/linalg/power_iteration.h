// Power iteration for the largest singular value.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace lipschitz {

struct PowerIterationResult {
  // uᵀ W v ≤ ‖W‖₂: a bound from below, never a certificate.
  double sigma = 0.0;
  at::Tensor u;  // (rows), or shaped as the map's results; unit length
  at::Tensor v;  // (columns), or shaped as its arguments; unit length
};

// A linear map between tensors, the inner product being the sum of products.
struct LinearMap {
  std::function<at::Tensor(const at::Tensor&)> apply;
  std::function<at::Tensor(const at::Tensor&)> adjoint;
};

// `iterations` ≥ 1 steps v ← Aᵀu/‖Aᵀu‖, u ← Av/‖Av‖ from `u`, without
// gradients. A map that is zero gives 0.
PowerIterationResult PowerIteration(const LinearMap& map, int iterations,
                                    const at::Tensor& u);

// The same for the matrix `w` (rows, columns). Starts from `u` where given,
// otherwise from a fixed pseudo-random vector, so that the result does not
// depend on any generator's state.
PowerIterationResult PowerIteration(const at::Tensor& w, int iterations,
                                    const at::Tensor& u = at::Tensor());

}  // namespace lipschitz
