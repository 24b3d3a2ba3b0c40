// GroupSort by this library's own kernels, and its derivatives to any order.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz::group_sort {

// Whether SortGroups takes x: dense float32 or float64 on the CPU, without
// forward-mode derivatives.
bool HasKernel(const at::Tensor& x);

// functional::GroupSort of such an x, for 0 ≤ dim and a `size` ≥ 2 that divides
// the size along it. The result has the strides of x where x has no gaps, and
// is contiguous otherwise. What the derivatives need, in bits per element, if x
// requires them:
//   size ≤ 64:   (size − 1) / 2, a network's comparisons
//   size larger: 8, 16 or 32, a position in the group
at::Tensor SortGroups(const at::Tensor& x, int64_t size, int64_t dim);

}  // namespace lipschitz::group_sort
