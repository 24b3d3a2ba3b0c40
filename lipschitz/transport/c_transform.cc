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
// The root of the smallest positive float64, above.
constexpr double kSmallestRoot = 0x1p-537;

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

TransformedPotentials Transform(const EmpiricalMeasure& p,
                                const EmpiricalMeasure& q,
                                const at::Tensor& values, Norm norm,
                                double* largest_distance) {
  const int64_t rows = std::max<int64_t>(1, kPairsOfPart / q.points.size(0));
  TransformedPotentials result;
  result.p = at::empty({p.points.size(0)}, at::kDouble);
  result.q = at::full({q.points.size(0)}, -rounding::kInfinity, at::kDouble);
  *largest_distance = 0.0;
  for (int64_t first = 0; first < p.points.size(0); first += rows) {
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

}  // namespace

absl::StatusOr<TransformedPotentials> TransformPotentials(
    const EmpiricalMeasure& p, const EmpiricalMeasure& q,
    const at::Tensor& values, Norm ground_norm) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const MeasurePair pair, NormalisedPair(p, q));
  return CatchTorch(
      "c-transform", [&]() -> absl::StatusOr<TransformedPotentials> {
        const int64_t m = pair.q.points.size(0);
        if (!values.defined() || values.dim() != 1 || values.size(0) != m) {
          return absl::InvalidArgumentError(absl::StrCat(
              "c-transform: Q has ", m,
              " points and needs a value for each, of shape (", m, ")"));
        }
        const at::Tensor start = values.to(at::kCPU, at::kDouble);
        if (!start.isfinite().all().item<bool>()) {
          return absl::InvalidArgumentError(
              "c-transform: a value is not finite");
        }
        double largest = 0.0;
        TransformedPotentials result =
            Transform(pair.p, pair.q, start, ground_norm, &largest);
        if (!std::isfinite(largest)) {
          return absl::InvalidArgumentError(
              "c-transform: a distance between the points overflows");
        }
        result.value =
            (pair.p.weights.dot(result.p) - pair.q.weights.dot(result.q))
                .item<double>();
        // By how much u_i − v_j can be above the exact distance: by the error
        // of the computed one and that of the difference that v_j is the
        // largest of.
        const int64_t dim = pair.p.points.size(1);
        const double infeasible =
            largest * PairwiseDistanceError(dim) +
            std::sqrt(static_cast<double>(dim)) * kSmallestRoot +
            (LargestMagnitude(result.p) + largest) * rounding::Gamma(4.0);
        const auto terms = static_cast<double>(pair.p.points.size(0) + m);
        const double rounding =
            (infeasible + ErrorOfSum(pair.p.weights, result.p) +
             ErrorOfSum(pair.q.weights, result.q)) *
            (1.0 + rounding::Gamma(terms + 32.0));
        result.lower_bound =
            std::nextafter(result.value - rounding, -rounding::kInfinity);
        return result;
      });
}

}  // namespace lipschitz
