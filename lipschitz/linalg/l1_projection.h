// Projection of matrix rows on the L1 ball and the L1 sphere, and row scaling.
//
// The L1 norm of a row is the Lipschitz constant, in the ∞-norm, of the neuron
// that it is the weight of.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// Every function takes `w` (rows, columns), float32 or float64, and a radius
// > 0, and returns a matrix of the same shape, differentiable almost
// everywhere with respect to `w`, to any order, with the exact Jacobian. Where
// the map has a kink the derivative is that of one of its pieces.
//
// On the CPU, loops of lipschitz/linalg/l1_rows_kernel.h do the work, in linear
// time and with sums in float64. The norm of a row that is moved is the radius
// within rounding, however large its entries are: of its own entries in
// float32, of a float64 sum of their number in float64. Elsewhere, and for
// other types, the functions of `composed` do the work.
//
// Every row is a matter of its own, also when it has entries that are not
// finite: a NaN or an infinity makes a row of the projections NaN, while
// scaling turns infinities into NaN and the entries beside them into zeros, and
// makes a row with a NaN NaN. The gradients of such rows mean nothing.

// The nearest point of the ball ‖row‖₁ ≤ radius for every row; a row inside
// stays as it is, bit for bit, and has the identity as its Jacobian.
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

// The same maps as compositions of LibTorch's operators: for any device and
// floating-point type, in the rounding of that type. The threshold needs a sort
// and a running sum: L. Condat, "Fast projection onto the simplex and the l1
// ball", Math. Program. 158 (2016), algorithm 1.
namespace composed {

at::Tensor ProjectRowsOntoL1Ball(const at::Tensor& w, double radius = 1.0);
at::Tensor ProjectRowsOntoL1Sphere(const at::Tensor& w, double radius = 1.0);
at::Tensor ScaleRowsToL1Norm(const at::Tensor& w,
                             RowScaling scaling = RowScaling::kAlways,
                             double radius = 1.0);

}  // namespace composed
}  // namespace lipschitz
