// Pieces of proven bounds on norms: float64 results that are not below the
// exact ones.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// ‖A‖_F from above, of a float64 tensor of any shape.
double FrobeniusUp(const at::Tensor& a);

// The least e with every |entry| < 2^e, clamped to [−1000, 1000], beyond which
// 2^∓e itself is not a float64. A · 2^−e is exact up to what falls below the
// subnormal numbers, and its squares are representable. 0 for a zero tensor.
int ScaleExponent(const at::Tensor& a);

}  // namespace lipschitz
