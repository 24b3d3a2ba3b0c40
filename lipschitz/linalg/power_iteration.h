// Power iteration for the largest singular value.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

struct PowerIterationResult {
  // uᵀ W v ≤ ‖W‖₂: a bound from below, never a certificate.
  double sigma = 0.0;
  at::Tensor u;  // (rows), unit length
  at::Tensor v;  // (columns), unit length
};

// `iterations` ≥ 1 steps v ← Wᵀu/‖Wᵀu‖, u ← Wv/‖Wv‖ on the matrix `w` (rows,
// columns), without gradients. Starts from `u` where given, otherwise from a
// fixed pseudo-random vector, so that the
// result does not depend on any generator's state. A zero matrix gives 0.
PowerIterationResult PowerIteration(const at::Tensor& w, int iterations,
                                    const at::Tensor& u = at::Tensor());

}  // namespace lipschitz
