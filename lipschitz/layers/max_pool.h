// Max-pooling.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz {

// at::max_pool2d(x, kernel, stride) of x (batch, channels, height, width),
// value for value: of equal pixels the first has the gradient. Windows of 2×2
// with stride 2 take a loop of their own on the CPU (MaxPoolKernel), of which
// every derivative is there, too: LibTorch's takes longer than the convolution
// before it.
at::Tensor MaxPool(const at::Tensor& x, int64_t kernel, int64_t stride);

}  // namespace lipschitz
