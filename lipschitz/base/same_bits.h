// Whether a tensor still is what something was computed from.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// Whether two tensors are alike in type, device, shape and every bit (on the
// CPU: 0 and −0 differ, and the same number that is none is the same; elsewhere
// as at::equal has it). LibTorch's version counter does not tell: it misses
// writes through data(), which its own optimisers make, and reading a
// checkpoint.
bool SameBits(const at::Tensor& a, const at::Tensor& b);

}  // namespace lipschitz
