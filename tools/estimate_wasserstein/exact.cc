#include "tools/estimate_wasserstein/exact.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/transport/dual_estimate.h"
#include "lipschitz/transport/exact_wasserstein.h"
#include "tools/decimal.h"

namespace lipschitz::tools {
namespace {

// For the rounding of the exact value.
constexpr double kRelativeTolerance = 1e-9;

absl::StatusOr<ExactDistance> Solve(const SamplePair& samples,
                                    Norm ground_norm) {
  ExactDistance exact;
  if (samples.p.size(1) == 1) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        exact.value, WassersteinOnTheLine({samples.p, {}}, {samples.q, {}}));
    return exact;
  }
  const auto solved =
      SolveTransport({samples.p, {}}, {samples.q, {}}, ground_norm);
  if (absl::IsResourceExhausted(solved.status())) {
    const auto side = static_cast<int64_t>(
        std::sqrt(static_cast<double>(kMostTransportPairs)));
    return absl::ResourceExhaustedError(
        absl::StrCat(solved.status().message(), ", for example ", side,
                     " samples a side; the estimate needs no exact solution"));
  }
  if (!solved.ok()) return solved.status();
  exact.value = solved->value;
  exact.gap = solved->gap;
  return exact;
}

}  // namespace

absl::Status ExpectBelow(const ExactDistance& exact, double bound,
                         const std::string& whose) {
  if (bound <= (exact.value + exact.gap) * (1.0 + kRelativeTolerance)) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(
      "a certificate is broken: ", whose, " lower bound ", Exact(bound),
      " is above the exact W1 ", Exact(exact.value), " (and its gap of ",
      Exact(exact.gap), ") of the same samples"));
}

absl::StatusOr<ExactDistance> SolveExactly(const SamplePair& samples,
                                           const WassersteinEstimate& estimate,
                                           Norm ground_norm) {
  LIPSCHITZ_ASSIGN_OR_RETURN(ExactDistance exact, Solve(samples, ground_norm));
  return CatchTorch("exact W1", [&]() -> absl::StatusOr<ExactDistance> {
    Sequential critic = estimate.critic;
    LIPSCHITZ_ASSIGN_OR_RETURN(
        DualEstimate bound,
        EstimateWithCritic(*critic, estimate.Standardised(samples.p),
                           estimate.Standardised(samples.q), ground_norm));
    bound.Rescale(estimate.scale);
    exact.critic_bound = bound.LowerBound();
    // A critic whose rounding is not known proves nothing, and is judged by
    // what it says.
    const double judged =
        std::isfinite(bound.rounding) ? exact.critic_bound : bound.value;
    LIPSCHITZ_RETURN_IF_ERROR(ExpectBelow(exact, judged, "the critic's"));
    return exact;
  });
}

}  // namespace lipschitz::tools
