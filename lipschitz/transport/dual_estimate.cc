#include "lipschitz/transport/dual_estimate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/arithmetic.h"
#include "lipschitz/certify/dual_norms.h"
#include "lipschitz/certify/forward_error.h"
#include "lipschitz/certify/network_parts.h"
#include "lipschitz/losses/dual_wasserstein.h"
#include "lipschitz/transport/student_t.h"

namespace lipschitz {
namespace {

// Samples at a time: a convolution in float64 unfolds them all.
constexpr int64_t kPart = 128;

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

// Of the mean of a critic's `values` at `samples`, each of whose entries two
// operations made, and each value with the error that `bound` states: how far
// it is at most from the exact one.
double RoundingOfMean(const ForwardErrorBound& bound,
                      const torch::Tensor& samples,
                      const torch::Tensor& values) {
  std::vector<torch::Tensor> errors;
  for (const torch::Tensor& part : samples.split(kPart)) {
    // With one output all norms are the same.
    errors.push_back(
        bound
            .ErrorsByNorms(VectorNorms(part.to(torch::kDouble).flatten(1)),
                           rounding::Gamma(2))
            .amin(1));
  }
  const double n = static_cast<double>(values.numel());
  const double summing = rounding::Gamma(n + 2);
  return (torch::cat(errors).mean().item<double>() +
          values.abs().mean().item<double>() * summing) *
         (1.0 + rounding::Gamma(n + 16));
}

absl::StatusOr<ForwardErrorBound> RoundingOfValues(LayerImpl& critic) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const NetworkParts parts, TakeApart(critic));
  return ForwardErrorBound::Create(parts, Arithmetic::kFloat64);
}

}  // namespace

double DualEstimate::LowerBound() const {
  if (rounding == 0.0) return value;  // of a constant critic
  return std::nextafter(value - rounding, -rounding::kInfinity);
}

void DualEstimate::Rescale(double scale) {
  value *= scale;
  standard_error *= scale;
  rounding = rounding::Up(rounding::Up(rounding * std::abs(scale)) +
                          rounding::Up(std::abs(value) * rounding::Gamma(2)));
}

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
    const auto errors = RoundingOfValues(critic);
    estimate.rounding = errors.ok()
                            ? (RoundingOfMean(*errors, p, on_p) +
                               RoundingOfMean(*errors, q, on_q)) /
                                      estimate.lipschitz_constant *
                                      (1.0 + rounding::Gamma(4)) +
                                  std::abs(estimate.value) * rounding::Gamma(4)
                            : rounding::kInfinity;
    return estimate;
  });
}

torch::Tensor CriticValues(LayerImpl& critic, const torch::Tensor& samples) {
  torch::NoGradGuard no_grad;
  const Float64Evaluation evaluation(critic);
  return ValuesAt(critic, samples).squeeze(1);
}

Interval IntervalOf(const DualEstimate& estimate, double confidence) {
  if (estimate.standard_error == 0.0) return {estimate.value, estimate.value};
  const double width =
      StudentTQuantile(confidence, estimate.degrees_of_freedom) *
      estimate.standard_error;
  return {estimate.value - width, estimate.value + width};
}

}  // namespace lipschitz
