// Kernels of convolutions that follow one another, and the factors that
// orthogonal ones are made of.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz {

// The kernel of "first, then second", where the first has stride 1: (out,
// middle, h₂, w₂) and (middle, in, h₁, w₁) → (out, in, h₁ + h₂ − 1, w₁ + w₂ −
// 1), entry c being Σ_{a + b = c} second[b] first[a]. The result takes the
// stride of the second. Differentiable in both.
//
// Source: L. Xiao et al., "Dynamical Isometry and a Mean Field Theory of CNNs",
// ICML 2018, who call it the block convolution.
at::Tensor BlockConvolution(const at::Tensor& second, const at::Tensor& first);

// The kernel followed by the convolution of size 2 along `dimension` (2: rows,
// 3: columns) with the taps P and I − P, or I − P and P when `reversed`, where
// P = VVᵀ projects on the columns of `basis` V (channels, rank), which are
// orthonormal. Such a convolution preserves every norm ‖·‖₂ of an image that
// continues around its edges, because the taps project on complements:
// (channels, in, h, w) → (channels, in, h + 1, w), or w + 1. A rank of 0 leaves
// one tap, a shift. Differentiable in both.
at::Tensor FollowByProjectors(const at::Tensor& kernel, const at::Tensor& basis,
                              int64_t dimension, bool reversed);

}  // namespace lipschitz
