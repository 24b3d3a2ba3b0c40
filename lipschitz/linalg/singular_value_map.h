// An odd polynomial of a matrix's singular values, without computing them.
#pragma once

#include <ATen/core/Tensor.h>

#include "lipschitz/linalg/minimax_polynomial.h"

namespace lipschitz {

// U p(Σ) Vᵀ for X = U Σ Vᵀ (rows, columns) with `gram` = SmallerGram(X): two
// products on the smaller side beside the Gram matrix, without a graph.
at::Tensor MapSingularValues(const OddQuintic& p, const at::Tensor& x,
                             const at::Tensor& gram);

// The same, with `square` = SymmetricSquare(gram) at hand, which is
// overwritten.
at::Tensor MapSingularValues(const OddQuintic& p, const at::Tensor& x,
                             const at::Tensor& gram, at::Tensor&& square);

}  // namespace lipschitz
