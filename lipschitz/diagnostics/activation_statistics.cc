#include "lipschitz/diagnostics/activation_statistics.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/activation_groups.h"

namespace lipschitz {
namespace {

// How many different rows choices (places, groups, k) has in each group, whose
// entries are from 0 to size − 1: (groups), int64.
at::Tensor DistinctChoices(const at::Tensor& choices, int64_t size) {
  const int64_t entries = choices.size(2);
  if (static_cast<double>(entries) * std::log2(size) <= 62.0) {
    // As numbers of that base, so that all groups are sorted at once.
    at::Tensor code = choices.select(2, 0);
    for (int64_t i = 1; i < entries; ++i) {
      code = code * size + choices.select(2, i);
    }
    const at::Tensor sorted = std::get<0>(code.sort(0));
    const int64_t places = sorted.size(0);
    return 1 +
           (sorted.narrow(0, 1, places - 1) != sorted.narrow(0, 0, places - 1))
               .sum(0);
  }
  at::Tensor distinct = at::zeros({choices.size(1)}, at::kLong);
  for (int64_t group = 0; group < choices.size(1); ++group) {
    distinct[group] =
        std::get<0>(at::unique_dim(choices.select(1, group).contiguous(),
                                   /*dim=*/0))
            .size(0);
  }
  return distinct;
}

// `values` (places, width), before the activation.
void DescribeGroups(const at::Tensor& values, int64_t size,
                    ActivationStatistics* statistics) {
  const int64_t places = values.size(0);
  const int64_t width = values.size(1);
  const at::Tensor groups = values.reshape({places, -1, size});
  const at::Tensor positions = at::arange(size, at::TensorOptions(at::kLong));
  // What each place chose in each group, (places, groups, 1 or size).
  at::Tensor choice;
  at::Tensor moved;
  if (statistics->activation.kind == ActivationKind::kMaxOut) {
    choice = groups.argmax(2, /*keepdim=*/true);
    moved = choice == positions;
  } else {
    // Stable, as the activation's own sort.
    choice = std::get<1>(
        at::sort(groups, /*stable=*/true, /*dim=*/-1, /*descending=*/false));
    moved = choice != positions;
  }
  statistics->moved =
      moved.reshape({places, width}).to(at::kDouble).mean(at::IntArrayRef{0});
  statistics->patterns = DistinctChoices(choice, size);
}

ActivationStatistics Describe(const NamedFunction& layer,
                              const ActivationSpec& activation,
                              const at::Tensor& before) {
  ActivationStatistics statistics;
  statistics.layer = layer.name;
  statistics.activation = activation;
  const at::Tensor moved = before.movedim(layer.unit_dim, -1).to(at::kCPU);
  const at::Tensor values = moved.reshape({-1, moved.size(-1)});
  statistics.places = values.size(0);
  statistics.positive = (values > 0).to(at::kDouble).mean(at::IntArrayRef{0});
  const int64_t size = UnitsPerGroup(activation, values.size(1));
  if (size > 0) DescribeGroups(values, size, &statistics);
  return statistics;
}

}  // namespace

double ActivationStatistics::UndeadRate(double threshold) const {
  return (positive >= threshold).to(at::kDouble).mean().item<double>();
}

absl::StatusOr<std::vector<ActivationStatistics>> CollectActivationStatistics(
    LayerImpl& network, const at::Tensor& x) {
  return CollectActivationStatistics(FunctionsOf(network), x);
}

absl::StatusOr<std::vector<ActivationStatistics>> CollectActivationStatistics(
    const std::vector<NamedFunction>& chain, const at::Tensor& x) {
  if (!x.defined() || x.dim() < 2 || x.numel() == 0) {
    return absl::InvalidArgumentError(
        "activation statistics: the inputs must be (n, ...) with at least one "
        "example");
  }
  using Statistics = std::vector<ActivationStatistics>;
  return CatchTorch("activation statistics", [&]() -> Statistics {
    const c10::NoGradGuard no_grad;
    Statistics result;
    at::Tensor value = x;
    for (const NamedFunction& item : chain) {
      const at::Tensor after = item.function(value);
      // After the function, which says what does not fit.
      if (item.activation.has_value()) {
        result.push_back(Describe(item, *item.activation, value));
      }
      value = after;
    }
    return result;
  });
}

}  // namespace lipschitz
