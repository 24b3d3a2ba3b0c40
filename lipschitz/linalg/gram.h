// The Gram matrix, what every orthonormalisation spends its time on.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// WWᵀ for a wide or square matrix (rows ≤ columns), WᵀW for a tall one: the
// smaller of the two, symmetric to the last bit. `w` (rows, columns) is
// floating point and not differentiated. On the CPU one triangle is computed
// by the BLAS's symmetric rank-k update and mirrored, which takes little more
// than half the time of the full product.
at::Tensor SmallerGram(const at::Tensor& w);

// S² of a symmetric matrix, in the same way; what is above and below the
// diagonal must agree.
at::Tensor SymmetricSquare(const at::Tensor& s);

// ‖Gram − I‖_F of the smaller Gram matrix, computed in float64: the distance
// from orthonormal rows or columns. NaN where an entry of `w` is not finite.
double OrthonormalityDefect(const at::Tensor& w);

}  // namespace lipschitz
