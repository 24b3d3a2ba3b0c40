#include "lipschitz/activations/functional.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <tuple>
#include <vector>

#include "lipschitz/activations/group_sort.h"

namespace lipschitz::functional {
namespace {

// `dim` as a non-negative index, and a size that the group divides.
int64_t CheckGroups(const char* what, const at::Tensor& x, int64_t group_size,
                    int64_t dim) {
  TORCH_CHECK(x.dim() > 0, what, ": needs at least one dimension");
  TORCH_CHECK(dim >= -x.dim() && dim < x.dim(), what, ": dim ", dim,
              " is out of range for the shape ", x.sizes());
  if (dim < 0) dim += x.dim();
  TORCH_CHECK(group_size >= 1, what, ": group_size must be at least 1, got ",
              group_size);
  TORCH_CHECK(x.size(dim) % group_size == 0, what, ": the size ", x.size(dim),
              " along dim ", dim, " of the shape ", x.sizes(),
              " is not a multiple of group_size ", group_size);
  return dim;
}

// (..., C, ...) as (..., C / group_size, group_size, ...): the groups are at
// `dim`, their members at `dim` + 1.
at::Tensor SplitGroups(const at::Tensor& x, int64_t group_size, int64_t dim) {
  std::vector<int64_t> shape = x.sizes().vec();
  shape[dim] /= group_size;
  shape.insert(shape.begin() + dim + 1, group_size);
  return x.reshape(shape);
}

}  // namespace

at::Tensor GroupSort(const at::Tensor& x, int64_t group_size, int64_t dim) {
  dim = CheckGroups("GroupSort", x, group_size, dim);
  if (group_size == 1 || x.numel() == 0) return x.clone();
  if (!group_sort::HasKernel(x)) return GroupSortComposed(x, group_size, dim);
  return group_sort::SortGroups(x, group_size, dim);
}

at::Tensor GroupSortComposed(const at::Tensor& x, int64_t group_size,
                             int64_t dim) {
  dim = CheckGroups("GroupSort", x, group_size, dim);
  if (group_size == 1 || x.numel() == 0) return x.clone();
  const at::Tensor groups = SplitGroups(x, group_size, dim);
  if (group_size == 2) {
    const at::Tensor first = groups.select(dim + 1, 0);
    const at::Tensor second = groups.select(dim + 1, 1);
    const at::Tensor swap = first > second;
    return at::stack(
               {at::where(swap, second, first), at::where(swap, first, second)},
               dim + 1)
        .reshape(x.sizes());
  }
  return std::get<0>(groups.sort(/*stable=*/true, /*dim=*/dim + 1,
                                 /*descending=*/false))
      .reshape(x.sizes());
}

at::Tensor MaxOut(const at::Tensor& x, int64_t group_size, int64_t dim) {
  dim = CheckGroups("MaxOut", x, group_size, dim);
  const at::Tensor groups = SplitGroups(x, group_size, dim);
  if (group_size == 2) {
    const at::Tensor first = groups.select(dim + 1, 0);
    const at::Tensor second = groups.select(dim + 1, 1);
    // A NaN wins, as it does in larger groups.
    return at::where((second > first).logical_or(second.isnan()), second,
                     first);
  }
  // max over a dimension does not promise which of equal entries gets the
  // gradient; a stable sort does.
  const at::Tensor order = std::get<1>(groups.detach().sort(
      /*stable=*/true, /*dim=*/dim + 1, /*descending=*/true));
  return groups.gather(dim + 1, order.narrow(dim + 1, 0, 1)).squeeze(dim + 1);
}

at::Tensor CRelu(const at::Tensor& x, int64_t dim) {
  // relu, not clamp_min: the latter's derivative at zero is 1 in both halves,
  // an expansion by √2.
  return at::cat({x.relu(), (-x).relu()}, dim);
}

}  // namespace lipschitz::functional
