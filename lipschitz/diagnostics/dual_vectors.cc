#include "lipschitz/diagnostics/dual_vectors.h"

#include <ATen/ATen.h>

namespace lipschitz {

Norm DualNorm(Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return Norm::kLinf;
    case Norm::kL2:
      return Norm::kL2;
    case Norm::kLinf:
      break;
  }
  return Norm::kL1;
}

at::Tensor RowNorms(const at::Tensor& z, Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return z.abs().sum(1);
    case Norm::kL2:
      return at::linalg_vector_norm(z, /*ord=*/2, /*dim=*/at::IntArrayRef{1});
    case Norm::kLinf:
      break;
  }
  return z.abs().amax(1);
}

at::Tensor SteepestVectors(const at::Tensor& z, Norm norm) {
  switch (norm) {
    case Norm::kL1: {
      const at::Tensor place = z.abs().argmax(1, /*keepdim=*/true);
      return at::zeros_like(z).scatter(1, place, z.gather(1, place).sign());
    }
    case Norm::kL2: {
      // Scaled first, so that squares neither overflow nor underflow.
      const at::Tensor largest = z.abs().amax(1, /*keepdim=*/true);
      const at::Tensor scaled = z / largest.masked_fill(largest == 0, 1.0);
      const at::Tensor length = RowNorms(scaled, Norm::kL2).unsqueeze(1);
      return scaled / length.masked_fill(length == 0, 1.0);
    }
    case Norm::kLinf:
      break;
  }
  return z.sign();
}

}  // namespace lipschitz
