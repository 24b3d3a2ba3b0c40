// The largest entries of windows of 2 × 2 pixels, on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// Whether PairMaximum takes `x`: a contiguous float32 or float64 tensor (batch,
// channels, height, width) on the CPU.
bool PairMaximumTakes(const at::Tensor& x);

// What at::max_pool2d(x, 2) computes, to the last bit, in a tenth of the time:
// (batch, channels, ⌊height/2⌋, ⌊width/2⌋). The gradient goes to the first of
// equal entries; where there is a NaN, the last one is the largest.
// Differentiable, as often as one likes.
at::Tensor PairMaximum(const at::Tensor& x);

}  // namespace lipschitz
