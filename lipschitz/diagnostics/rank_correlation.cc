#include "lipschitz/diagnostics/rank_correlation.h"

#include <ATen/ATen.h>

#include <limits>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

// Ranks less their mean, (n, d).
at::Tensor CentredRanks(const at::Tensor& values) {
  return AverageRanks(values) - 0.5 * static_cast<double>(values.size(1) + 1);
}

absl::Status Check(const at::Tensor& values) {
  if (!values.defined() || values.dim() != 2 || values.numel() == 0) {
    return absl::InvalidArgumentError(
        "rank correlation: both must be (n, d) with at least one entry");
  }
  if (values.isnan().any().item<bool>()) {
    return absl::InvalidArgumentError(
        "rank correlation: an entry is not a number");
  }
  return absl::OkStatus();
}

}  // namespace

at::Tensor AverageRanks(const at::Tensor& values) {
  const at::Tensor entries = values.detach().to(at::kDouble).contiguous();
  const at::Tensor sorted = std::get<0>(entries.sort(-1)).contiguous();
  // Entries below each, and entries below or equal.
  const at::Tensor below = at::searchsorted(sorted, entries);
  const at::Tensor up_to = at::searchsorted(sorted, entries,
                                            /*out_int32=*/false,
                                            /*right=*/true);
  return (below + up_to + 1).to(at::kDouble) / 2.0;
}

absl::StatusOr<at::Tensor> RankCorrelations(const at::Tensor& a,
                                            const at::Tensor& b) {
  using Result = absl::StatusOr<at::Tensor>;
  return CatchTorch("rank correlation", [&]() -> Result {
    LIPSCHITZ_RETURN_IF_ERROR(Check(a));
    LIPSCHITZ_RETURN_IF_ERROR(Check(b));
    if (a.sizes() != b.sizes()) {
      return absl::InvalidArgumentError(
          absl::StrCat("rank correlation: the sides are (", a.size(0), ", ",
                       a.size(1), ") and (", b.size(0), ", ", b.size(1), ")"));
    }
    const at::Tensor u = CentredRanks(a);
    const at::Tensor v = CentredRanks(b);
    const at::Tensor norms = (u.square().sum(1) * v.square().sum(1)).sqrt();
    const at::Tensor correlations = ((u * v).sum(1) / norms).clamp(-1.0, 1.0);
    return at::where(
        norms > 0.0, correlations,
        at::full_like(correlations, std::numeric_limits<double>::quiet_NaN()));
  });
}

}  // namespace lipschitz
