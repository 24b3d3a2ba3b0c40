// Activations on tensors. Gradients flow through all of them, to any order.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz::functional {

// Sorts every group of `group_size` neighbours along `dim` ascending, in place:
// group i is the indices [i·group_size, (i+1)·group_size). All other dimensions
// are batch; `dim` may be negative; for images (N, C, H, W) `dim` 1 groups
// channels at every pixel.
//
// Ties keep the order of their positions (a stable sort), and the subgradient
// there is that permutation: the Jacobian is always a permutation matrix. The
// result holds the values of x bit for bit. So does a group with a NaN, in an
// order that is not defined; its Jacobian is a permutation too.
//
// On the CPU, float32 and float64 are sorted by kernels of our own
// (group_sort.h), all else by GroupSortComposed.
//
// A size along `dim` that `group_size` does not divide is a c10::Error that
// names both. Source: Anil, Lucas, Grosse (ICML 2019).
at::Tensor GroupSort(const at::Tensor& x, int64_t group_size, int64_t dim);

// The same map from LibTorch's operators, for every device and type that they
// take: the reference of tests and benchmarks. NaN come last in groups of three
// or more.
at::Tensor GroupSortComposed(const at::Tensor& x, int64_t group_size,
                             int64_t dim);

// The largest of every group; the size along `dim` shrinks by `group_size`. The
// gradient goes to the first position that attains the maximum. The largest of
// a group that holds a NaN is NaN. Source: Goodfellow et al., "Maxout Networks"
// (ICML 2013).
at::Tensor MaxOut(const at::Tensor& x, int64_t group_size, int64_t dim);

// max(x, 0) and max(−x, 0), one after the other along `dim`, which doubles.
// Source: Shang et al., "Understanding and Improving Convolutional Neural
// Networks via Concatenated Rectified Linear Units" (ICML 2016).
at::Tensor CRelu(const at::Tensor& x, int64_t dim);

}  // namespace lipschitz::functional
