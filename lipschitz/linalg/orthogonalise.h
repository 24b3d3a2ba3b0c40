// A matrix near the polar factor, of any rank and at a fixed price: a direction
// of steepest descent in the spectral norm.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

struct OrthogonaliseOptions {
  // Of a polynomial of degree 5, three products on the smaller side each.
  int iterations = 5;
  // The polynomials are the best ones for singular values between this share of
  // the norm and all of it; in (0, 1).
  double smallest = 1e-3;
  // Which norm: ‖W‖_F, or the Schatten norm (Σ σ⁸)^⅛, which the first iteration
  // has at hand. That one is at most rank^⅛ times the largest singular value
  // where ‖W‖_F can be √rank times it, so that a larger share of it reaches as
  // far down, and fewer iterations do.
  bool schatten = false;

  // Three iterations from the closer norm, in 3/5 of the default's time.
  static OrthogonaliseOptions Fast() { return {3, 1.0 / 128, true}; }
};

// U f(Σ) Vᵀ for W = U Σ Vᵀ (rows, columns), without a graph. f is odd,
// positive, and within 1 ± OrthogonaliseError(options) for σ between `smallest`
// times the norm and the norm; smaller singular values come out smaller. Zero
// stays zero.
//
// Every iteration applies the polynomial of degree 5 that is best for the
// interval which the iteration before has left (N. Amsel et al., "The Polar
// Express", 2025). PolarFactor is exact, and refuses a rank deficient matrix,
// as gradients often are.
at::Tensor Orthogonalise(const at::Tensor& w,
                         const OrthogonaliseOptions& options = {});

// See Orthogonalise; in exact arithmetic.
double OrthogonaliseError(const OrthogonaliseOptions& options);

}  // namespace lipschitz
