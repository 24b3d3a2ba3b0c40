// A matrix near the polar factor, of any rank and at a fixed price: a direction
// of steepest descent in the spectral norm.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// U f(Σ) Vᵀ for W = U Σ Vᵀ (rows, columns), without a graph. f is odd,
// positive, and within 1 ± OrthogonaliseError(iterations) for σ between
// ‖W‖_F / 1000 and ‖W‖_F; smaller singular values come out smaller. Zero stays
// zero.
//
// Every iteration applies the polynomial of degree 5 that is best for the
// interval which the iteration before has left (N. Amsel et al., "The Polar
// Express", 2025), three products on the smaller side. PolarFactor is exact,
// and refuses a rank deficient matrix, as gradients often are.
at::Tensor Orthogonalise(const at::Tensor& w, int iterations);

// See Orthogonalise; in exact arithmetic.
double OrthogonaliseError(int iterations);

}  // namespace lipschitz
