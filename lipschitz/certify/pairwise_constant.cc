#include "lipschitz/certify/pairwise_constant.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/dual_norms.h"
#include "lipschitz/certify/network_parts.h"

namespace lipschitz {
namespace {

using rounding::Gamma;
using rounding::kInfinity;
using rounding::ProductUp;
using rounding::Up;

// |v_y − v_j| ≤ factor · ‖v‖, one for each norm in the order of kAllNorms.
const std::array<double, 3>& DifferenceFactors() {
  static const std::array<double, 3> kFactors = {1.0, Up(std::sqrt(2.0)), 2.0};
  return kFactors;
}

absl::StatusOr<at::Tensor> PairsThroughHead(const BoundTable& body, Norm norm,
                                            LinearImpl& head) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const at::Tensor weight, head.ConstrainedWeight());
  return CatchTorch("pairwise constants", [&]() -> at::Tensor {
    const at::Tensor norms = PairDualNorms(weight.detach().to(at::kDouble));
    at::Tensor least = at::full_like(norms.select(-1, 0), kInfinity);
    for (size_t q = 0; q < kAllNorms.size(); ++q) {
      const double bound =
          ProductUp(body.At(norm, kAllNorms[q]), std::abs(head.AppliedScale()));
      if (!std::isfinite(bound)) continue;
      least = at::minimum(least, norms.select(-1, static_cast<int64_t>(q)) *
                                     Up(bound * (1.0 + Gamma(4))));
    }
    return least;
  });
}

}  // namespace

absl::StatusOr<PairwiseConstants> BoundPairs(LayerImpl& network, Norm norm) {
  const NetworkParts parts = SplitNetwork(network);
  BoundTable body = BoundTable::SameNorm(1.0);
  for (LayerImpl* layer : parts.body) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable next, layer->LipschitzBounds());
    body = body.Then(next);
  }
  BoundTable whole = body;
  if (parts.head != nullptr) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable head,
                               parts.head->LipschitzBounds());
    whole = body.Then(head);
  }
  PairwiseConstants constants;
  constants.network = whole.At(norm, norm);
  constants.naive = kInfinity;
  for (size_t q = 0; q < kAllNorms.size(); ++q) {
    constants.naive = std::min(
        constants.naive,
        ProductUp(whole.At(norm, kAllNorms[q]), DifferenceFactors()[q]));
  }
  // Not a number is no bound either.
  if (!(constants.naive < kInfinity) || std::isnan(constants.network)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "network '", network.name(), "' has no finite Lipschitz bound from ",
        NormName(norm), ", so nothing can be certified"));
  }
  if (parts.head != nullptr) {
    LIPSCHITZ_ASSIGN_OR_RETURN(constants.pairwise,
                               PairsThroughHead(body, norm, *parts.head));
    constants.pairwise = constants.pairwise.clamp_max(constants.naive);
  }
  return constants;
}

}  // namespace lipschitz
