// Lengths of linear functionals, from above.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// For every vector v along the last dimension of a float64 tensor (..., n), an
// upper bound on sup ⟨v, h⟩ / ‖h‖_q: the dual norm of v. One for each norm q of
// h, in the order of kAllNorms: (..., 3).
at::Tensor DualNorms(const at::Tensor& vectors);

// ‖v‖_q itself, in the same order: (..., 3), from above.
at::Tensor VectorNorms(const at::Tensor& vectors);

// DualNorms of w_y − w_j for all pairs of rows of a float64 matrix (classes,
// n): (classes, classes, 3).
at::Tensor PairDualNorms(const at::Tensor& rows);

}  // namespace lipschitz
