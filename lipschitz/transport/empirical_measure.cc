#include "lipschitz/transport/empirical_measure.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

std::string ShapeOf(const at::Tensor& tensor) {
  return absl::StrCat("(", absl::StrJoin(tensor.sizes(), ", "), ")");
}

// The first row whose entry in `wrong` (n), bool, is set; −1: none.
int64_t FirstRow(const at::Tensor& wrong) {
  const at::Tensor rows = wrong.nonzero();
  return rows.numel() == 0 ? -1 : rows[0][0].item<int64_t>();
}

at::Tensor AsDouble(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU, at::kDouble).contiguous();
}

}  // namespace

absl::StatusOr<EmpiricalMeasure> Normalised(const EmpiricalMeasure& measure,
                                            const std::string& name) {
  return CatchTorch(name, [&]() -> absl::StatusOr<EmpiricalMeasure> {
    const at::Tensor& points = measure.points;
    if (!points.defined() || points.dim() != 2 || points.size(0) < 1 ||
        points.size(1) < 1 || !points.is_floating_point()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name,
          ": points must be floating numbers of shape (n, dim), n and "
          "dim at least 1, got ",
          points.defined() ? ShapeOf(points) : "none"));
    }
    EmpiricalMeasure result;
    result.points = AsDouble(points);
    // A finite sum has finite terms; rows are looked through only without one.
    if (!std::isfinite(result.points.sum().item<double>())) {
      const int64_t row =
          FirstRow(result.points.isfinite().all(1).logical_not());
      if (row >= 0) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, ": row ", row, " is not finite"));
      }
    }

    const int64_t n = points.size(0);
    if (!measure.weights.defined()) {
      result.weights = at::full({n}, 1.0 / static_cast<double>(n), at::kDouble);
      return result;
    }
    if (measure.weights.dim() != 1 || measure.weights.size(0) != n) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": weights must have the shape (", n,
          "), one for every point, got ", ShapeOf(measure.weights)));
    }
    result.weights = AsDouble(measure.weights);
    const int64_t wrong = FirstRow(
        (result.weights.isfinite() & (result.weights >= 0)).logical_not());
    if (wrong >= 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": weight ", wrong, " is ",
                       result.weights[wrong].item<double>(),
                       "; it must be finite and not negative"));
    }
    // Divided first by the largest, so that the sum cannot overflow.
    const double largest = result.weights.max().item<double>();
    if (largest == 0.0) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": all weights are 0"));
    }
    result.weights /= largest;
    result.weights /= result.weights.sum();
    return result;
  });
}

absl::StatusOr<MeasurePair> NormalisedPair(const EmpiricalMeasure& p,
                                           const EmpiricalMeasure& q) {
  MeasurePair pair;
  LIPSCHITZ_ASSIGN_OR_RETURN(pair.p, Normalised(p, "P"));
  LIPSCHITZ_ASSIGN_OR_RETURN(pair.q, Normalised(q, "Q"));
  if (pair.p.points.size(1) != pair.q.points.size(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("P has points of dimension ", pair.p.points.size(1),
                     " and Q of dimension ", pair.q.points.size(1)));
  }
  return pair;
}

}  // namespace lipschitz
