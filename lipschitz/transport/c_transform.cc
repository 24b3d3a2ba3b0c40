#include "lipschitz/transport/c_transform.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/pairwise_distances.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

// Pairs of points whose distances are held at a time.
constexpr int64_t kPairsOfPart = 1 << 20;

double LargestMagnitude(const at::Tensor& values) {
  return values.abs().max().item<double>();
}

// How far the sum of `weights`, each made by up to n + 3 operations, times
// `values` is at most from that of exact ones.
double ErrorOfSum(const at::Tensor& weights, const at::Tensor& values) {
  const auto n = static_cast<double>(values.numel());
  return weights.dot(values.abs()).item<double>() *
         rounding::Gamma(2.0 * n + 8.0);
}

absl::StatusOr<TransformedPotentials> Transform(
    const EmpiricalMeasure& p, const EmpiricalMeasure& q,
    const at::Tensor& values, Norm norm,
    const std::function<bool()>& stop_requested, double* largest_distance) {
  const int64_t rows = std::max<int64_t>(1, kPairsOfPart / q.points.size(0));
  TransformedPotentials result;
  result.p = at::empty({p.points.size(0)}, at::kDouble);
  result.q = at::full({q.points.size(0)}, -rounding::kInfinity, at::kDouble);
  *largest_distance = 0.0;
  for (int64_t first = 0; first < p.points.size(0); first += rows) {
    if (stop_requested && stop_requested()) {
      return absl::CancelledError("c-transform: stopped");
    }
    const int64_t count = std::min(rows, p.points.size(0) - first);
    const at::Tensor distances =
        PairwiseDistances(p.points.narrow(0, first, count), q.points, norm);
    *largest_distance =
        std::max(*largest_distance, distances.max().item<double>());
    const at::Tensor u = (distances + values).amin(1);
    result.p.narrow(0, first, count).copy_(u);
    result.q = at::maximum(result.q, (u.unsqueeze(1) - distances).amax(0));
  }
  return result;
}

// Less a constant, so that they are no larger than they have to be.
at::Tensor Centred(const at::Tensor& values) {
  const double least = values.min().item<double>();
  const double most = values.max().item<double>();
  return values - (0.5 * least + 0.5 * most);
}

}  // namespace

absl::StatusOr<TransformedPotentials> TransformPotentials(
    const EmpiricalMeasure& p, const EmpiricalMeasure& q,
    const at::Tensor& values, Norm ground_norm,
    const std::function<bool()>& stop_requested) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const MeasurePair pair, NormalisedPair(p, q));
  return CatchTorch(
      "c-transform", [&]() -> absl::StatusOr<TransformedPotentials> {
        const int64_t n = pair.p.points.size(0);
        const int64_t m = pair.q.points.size(0);
        const int64_t dim = pair.p.points.size(1);
        if (!values.defined() || values.dim() != 1 || values.size(0) != m) {
          return absl::InvalidArgumentError(absl::StrCat(
              "c-transform: Q has ", m,
              " points and needs a value for each, of shape (", m, ")"));
        }
        const at::Tensor start = values.detach().to(at::kCPU, at::kDouble);
        if (!start.isfinite().all().item<bool>()) {
          return absl::InvalidArgumentError(
              "c-transform: a value is not finite");
        }
        double largest = 0.0;
        LIPSCHITZ_ASSIGN_OR_RETURN(
            TransformedPotentials result,
            Transform(pair.p, pair.q, Centred(start), ground_norm,
                      stop_requested, &largest));
        const double size =
            LargestMagnitude(at::cat({result.p, result.q})) + largest;
        if (!std::isfinite(size)) {
          return absl::InvalidArgumentError(
              "c-transform: a distance between the points, or its sum with a "
              "value, overflows");
        }
        result.value =
            (pair.p.weights.dot(result.p) - pair.q.weights.dot(result.q))
                .item<double>();
        // By how much u_i − v_j can be above the exact distance: by the error
        // of the computed one and that of the difference that v_j is the
        // largest of.
        const double infeasible =
            PairwiseDistanceError(largest, dim) + size * rounding::Gamma(4.0);
        const double rounding =
            (infeasible + ErrorOfSum(pair.p.weights, result.p) +
             ErrorOfSum(pair.q.weights, result.q)) *
            (1.0 + rounding::Gamma(static_cast<double>(n + m) + 32.0));
        result.lower_bound =
            std::nextafter(result.value - rounding, -rounding::kInfinity);
        return result;
      });
}

}  // namespace lipschitz
