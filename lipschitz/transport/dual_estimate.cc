#include "lipschitz/transport/dual_estimate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/losses/dual_wasserstein.h"
#include "lipschitz/transport/student_t.h"

namespace lipschitz {
namespace {

constexpr int64_t kPart = 2048;

// The variance of the mean of `values`; infinite for a single value.
double VarianceOfMean(const torch::Tensor& values) {
  if (values.numel() < 2) return std::numeric_limits<double>::infinity();
  return values.var(/*unbiased=*/true).item<double>() /
         static_cast<double>(values.numel());
}

// Of the critic in float64, in parts that bound the memory of a convolutional
// one: (n, outputs).
torch::Tensor ValuesAt(LayerImpl& critic, const torch::Tensor& samples) {
  std::vector<torch::Tensor> values;
  for (const torch::Tensor& part : samples.split(kPart)) {
    values.push_back(critic.forward(part.to(torch::kDouble)));
  }
  return torch::cat(values);
}

}  // namespace

absl::StatusOr<DualEstimate> EstimateWithCritic(LayerImpl& critic,
                                                const torch::Tensor& p,
                                                const torch::Tensor& q,
                                                Norm ground_norm) {
  return CatchTorch("dual estimate", [&]() -> absl::StatusOr<DualEstimate> {
    torch::NoGradGuard no_grad;
    const Float64Evaluation evaluation(critic);
    const torch::Tensor on_p = ValuesAt(critic, p);
    const torch::Tensor on_q = ValuesAt(critic, q);
    if (on_p.dim() != 2 || on_p.size(1) != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "dual estimate: the critic must have one output, it has ",
          on_p.dim() == 2 ? on_p.size(1) : -1));
    }
    DualEstimate estimate;
    // With one output all norms of it are its absolute value.
    LIPSCHITZ_ASSIGN_OR_RETURN(estimate.lipschitz_constant,
                               critic.LipschitzBound(ground_norm, Norm::kLinf));
    if (estimate.lipschitz_constant == 0.0) return estimate;
    estimate.value = DualWassersteinObjective(on_p, on_q).item<double>() /
                     estimate.lipschitz_constant;
    estimate.standard_error =
        std::sqrt(VarianceOfMean(on_p) + VarianceOfMean(on_q)) /
        estimate.lipschitz_constant;
    estimate.degrees_of_freedom = static_cast<double>(
        std::max<int64_t>(std::min(on_p.numel(), on_q.numel()) - 1, 1));
    if (!std::isfinite(estimate.value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "dual estimate: the critic's mean values are ",
          on_p.mean().item<double>(), " and ", on_q.mean().item<double>(),
          "; a sample or a bias is not finite"));
    }
    return estimate;
  });
}

Interval IntervalOf(const DualEstimate& estimate, double confidence) {
  if (estimate.standard_error == 0.0) return {estimate.value, estimate.value};
  const double width =
      StudentTQuantile(confidence, estimate.degrees_of_freedom) *
      estimate.standard_error;
  return {estimate.value - width, estimate.value + width};
}

}  // namespace lipschitz
