#include "lipschitz/data/lipschitz_functions.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/pairwise_distances.h"

namespace lipschitz {
namespace {

bool AllFinite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(),
                     [](double value) { return std::isfinite(value); });
}

}  // namespace

absl::Status PiecewiseLinear::Validate() const {
  if (slopes.empty() || knots.size() != slopes.size() + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("piecewise linear: ", slopes.size(), " slopes and ",
                     knots.size(), " knots; there must be one more knot"));
  }
  if (!AllFinite(knots) || !AllFinite(slopes) || !std::isfinite(start)) {
    return absl::InvalidArgumentError(
        "piecewise linear: a knot, a slope or the start is not finite");
  }
  const auto fall = std::is_sorted_until(knots.begin(), knots.end());
  if (fall != knots.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("piecewise linear: the knot ", *fall, " comes after ",
                     *(fall - 1), "; knots must ascend"));
  }
  return absl::OkStatus();
}

double PiecewiseLinear::LipschitzConstant() const {
  double steepest = 0.0;
  for (const double slope : slopes) {
    steepest = std::max(steepest, std::abs(slope));
  }
  return steepest;
}

at::Tensor PiecewiseLinear::Evaluate(const at::Tensor& x) const {
  at::Tensor y = at::full_like(x, start);
  for (size_t i = 0; i < slopes.size(); ++i) {
    // The part of the way to x that lies in this piece.
    y = y + slopes[i] * (x.clamp(knots[i], knots[i + 1]) - knots[i]);
  }
  return y;
}

PiecewiseLinear TriangleWave(double lower, double upper, int64_t pieces) {
  const double length = (upper - lower) / static_cast<double>(pieces);
  PiecewiseLinear wave{{lower}, {}, -length / 2};
  for (int64_t i = 1; i <= pieces; ++i) {
    wave.knots.push_back(i < pieces ? lower + length * static_cast<double>(i)
                                    : upper);
    wave.slopes.push_back(i % 2 == 1 ? 1.0 : -1.0);
  }
  return wave;
}

PiecewiseLinear RandomPiecewiseLinear(double lower, double upper,
                                      int64_t pieces,
                                      const RandomSource& random) {
  const auto uniform = [&](int64_t count, double low, double high) {
    const at::Tensor values =
        low + (high - low) * at::rand({count}, random.generator(),
                                      at::TensorOptions().dtype(at::kDouble));
    const auto* const begin = values.data_ptr<double>();
    return std::vector<double>(begin, begin + count);
  };
  PiecewiseLinear function;
  function.knots = uniform(pieces - 1, lower, upper);
  function.knots.push_back(lower);
  function.knots.push_back(upper);
  std::sort(function.knots.begin(), function.knots.end());
  function.slopes = uniform(pieces, -1.0, 1.0);
  return function;
}

absl::Status Cones::Validate() const {
  if (apexes.empty() || apexes.size() != heights.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cones: ", apexes.size(), " apexes and ", heights.size(),
                     " heights; there must be as many, and at least one"));
  }
  for (const std::vector<double>& apex : apexes) {
    if (apex.empty() || apex.size() != apexes[0].size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cones: apexes of ", apexes[0].size(), " and ",
                       apex.size(), " coordinates"));
    }
    if (!AllFinite(apex)) {
      return absl::InvalidArgumentError("cones: an apex is not finite");
    }
  }
  if (!AllFinite(heights)) {
    return absl::InvalidArgumentError("cones: a height is not finite");
  }
  return absl::OkStatus();
}

at::Tensor Cones::Distances(const at::Tensor& x) const {
  std::vector<at::Tensor> centres;
  for (const std::vector<double>& apex : apexes) {
    centres.push_back(at::tensor(at::ArrayRef<double>(apex), x.options()));
  }
  // Many times faster than a norm over the few coordinates of every point.
  return PairwiseDistances(x, at::stack(centres), norm);
}

at::Tensor Cones::LowerEnvelope(const at::Tensor& x) const {
  return (at::tensor(at::ArrayRef<double>(heights), x.options()) + Distances(x))
      .amin(1);
}

at::Tensor Cones::UpperEnvelope(const at::Tensor& x) const {
  return (at::tensor(at::ArrayRef<double>(heights), x.options()) - Distances(x))
      .amax(1);
}

}  // namespace lipschitz
