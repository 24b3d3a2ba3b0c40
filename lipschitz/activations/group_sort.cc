#include "lipschitz/activations/group_sort.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "lipschitz/activations/group_sort_kernel.h"
#include "lipschitz/activations/group_sort_keys.h"
#include "lipschitz/activations/groups.h"

namespace lipschitz::group_sort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool IsNetwork(const Groups& groups) { return groups.size <= kMaxNetworkSize; }

at::Tensor NewTrace(const Groups& groups, const at::Tensor& x) {
  if (!IsNetwork(groups)) {
    return at::empty({groups.count * KeyTraceBytes(groups.size)}, at::kByte);
  }
  const NetworkPlan plan = PlanNetwork(groups, x.element_size());
  return at::empty({plan.chunks * plan.chunk_trace_bytes}, at::kByte);
}

template <typename T>
void RunOn(Step step, const Groups& groups, const T* x, T* y, uint8_t* trace) {
  if (IsNetwork(groups)) {
    const NetworkPlan plan = PlanNetwork(groups, sizeof(T));
    at::parallel_for(0, plan.chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        RunNetwork(step, groups, x, y, trace, chunk);
      }
    });
  } else {
    const int64_t grain =
        std::max<int64_t>(1, at::internal::GRAIN_SIZE / groups.size);
    at::parallel_for(0, groups.count, grain, [&](int64_t begin, int64_t end) {
      RunKeys(step, groups, x, y, trace, begin, end);
    });
  }
}

// A contiguous result. The trace may be undefined for kSort.
at::Tensor Run(Step step, const Groups& groups, const at::Tensor& x,
               const at::Tensor& trace) {
  const at::Tensor from = x.contiguous();
  at::Tensor to = at::empty_like(from, at::MemoryFormat::Contiguous);
  AT_DISPATCH_FLOATING_TYPES(from.scalar_type(), "GroupSort", [&] {
    RunOn(step, groups, from.data_ptr<scalar_t>(), to.data_ptr<scalar_t>(),
          trace.defined() ? trace.data_ptr<uint8_t>() : nullptr);
  });
  return to;
}

// A tensor that autograd is to keep, but not to differentiate.
struct Trace {
  at::Tensor bytes;
};

// A permutation of every group: that which sorts x, or one that was recorded.
// It is linear in the values, and its transpose is its inverse.
class Permute : public torch::autograd::Function<Permute> {
 public:
  // `recorded` is undefined for kSort.
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x,
                            const Groups& groups, Step step,
                            const Trace& recorded) {
    const at::Tensor trace =
        step == Step::kSort ? NewTrace(groups, x) : recorded.bytes;
    ctx->save_for_backward({trace});
    ctx->saved_data["count"] = groups.count;
    ctx->saved_data["size"] = groups.size;
    ctx->saved_data["inner"] = groups.inner;
    ctx->saved_data["inverse"] = step == Step::kReplayInverse;
    return Run(step, groups, x, trace);
  }

  static variable_list backward(AutogradContext* ctx,
                                const variable_list& gradients) {
    const Groups groups = {ctx->saved_data["count"].toInt(),
                           ctx->saved_data["size"].toInt(),
                           ctx->saved_data["inner"].toInt()};
    const Step step = ctx->saved_data["inverse"].toBool()
                          ? Step::kReplay
                          : Step::kReplayInverse;
    const Trace trace = {ctx->get_saved_variables()[0]};
    return {apply(gradients[0], groups, step, trace), at::Tensor(),
            at::Tensor(), at::Tensor()};
  }
};

at::Tensor SortContiguous(const at::Tensor& x, int64_t size, int64_t dim) {
  Groups groups;
  groups.count = x.numel() / size;
  groups.size = size;
  for (int64_t i = dim + 1; i < x.dim(); ++i) groups.inner *= x.size(i);
  if (at::GradMode::is_enabled() && x.requires_grad()) {
    return Permute::apply(x, groups, Step::kSort, Trace());
  }
  return Run(Step::kSort, groups, x, at::Tensor());
}

}  // namespace

bool HasKernel(const at::Tensor& x) {
  return x.device().is_cpu() && x.layout() == at::kStrided &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) &&
         !x.is_neg() && !x._fw_grad(/*level=*/0).defined();
}

at::Tensor SortGroups(const at::Tensor& x, int64_t size, int64_t dim) {
  if (x.is_contiguous()) return SortContiguous(x, size, dim);
  // The dimensions in the order in which they lie in memory.
  std::vector<int64_t> order(x.dim());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return x.stride(a) > x.stride(b);
  });
  const at::Tensor in_memory = x.permute(order);
  if (!in_memory.is_contiguous()) return SortContiguous(x, size, dim);
  std::vector<int64_t> place(order.size());
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  return SortContiguous(in_memory, size, place[dim]).permute(place);
}

}  // namespace lipschitz::group_sort
