// The iterations for the polar factor that the library's was chosen from.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace lipschitz::benchmarks {

struct CandidateResult {
  at::Tensor weight;
  int iterations = 0;
};

struct PolarCandidate {
  std::string name;
  // For a square float32 matrix, forwards only. Stops when ‖Gram − I‖_F is, or
  // is expected to be after the step that was just done, at most 1e-6 √n; a
  // method that cannot get there throws.
  std::function<CandidateResult(const at::Tensor&)> run;
};

// bjorck1 to bjorck4 (orders 1 to 4, the scale from power iteration),
// newton (with Higham's scaling by the norms of X and X⁻¹: N. J. Higham,
// "Computing the polar decomposition — with applications", 1986), halley
// (dynamically weighted, by Cholesky: Y. Nakatsukasa, Z. Bai and F. Gygi,
// "Optimizing Halley's iteration for computing the matrix polar decomposition",
// 2010), eigenvalues (of the Gram matrix, in float64) and minimax (the
// library's).
std::vector<PolarCandidate> PolarCandidates();

// The polar factor by a singular value decomposition, in float64.
at::Tensor ExactPolarFactor(const at::Tensor& w);

}  // namespace lipschitz::benchmarks
