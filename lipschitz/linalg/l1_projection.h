// Projection of matrix rows on the L1 ball and the L1 sphere, and row scaling.
//
// The L1 norm of a row is the Lipschitz constant, in the ∞-norm, of the neuron
// that it is the weight of.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// Every function takes `w` (rows, columns), float32 or float64, and a radius
// > 0, and returns a matrix of the same shape, differentiable almost everywhere
// with respect to `w` with the exact Jacobian. Where the map has a kink the
// derivative is that of one of its pieces.

// The nearest point of the ball ‖row‖₁ ≤ radius for every row; a row inside
// stays as it is. Threshold of L. Condat, "Fast projection onto the simplex and
// the l1 ball", Math. Program. 158 (2016), algorithm 1.
at::Tensor ProjectRowsOntoL1Ball(const at::Tensor& w, double radius = 1.0);

// The nearest point of the sphere ‖row‖₁ = radius: like the ball for a row
// outside; a row inside is pushed outwards, every entry by the same amount (the
// authors' projection). A zero entry counts as positive.
at::Tensor ProjectRowsOntoL1Sphere(const at::Tensor& w, double radius = 1.0);

enum class RowScaling {
  // Every row is scaled to the norm `radius`.
  kAlways,
  // Only rows whose norm is larger.
  kOnlyDown,
};

// row · radius / ‖row‖₁. A row of zeros stays zero.
at::Tensor ScaleRowsToL1Norm(const at::Tensor& w,
                             RowScaling scaling = RowScaling::kAlways,
                             double radius = 1.0);

}  // namespace lipschitz
