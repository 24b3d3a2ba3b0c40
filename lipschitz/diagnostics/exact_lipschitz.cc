#include "lipschitz/diagnostics/exact_lipschitz.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/affine_chain.h"
#include "lipschitz/diagnostics/projective_polygon.h"

namespace lipschitz {
namespace {

// x_i = centre_i + scale_i z_i: coordinates in which the box is [−1, 1]², or
// the plane's lines are about 1 from the origin.
struct Domain {
  std::vector<ProjectivePolygon> polygons;
  std::array<double, 2> centre = {0.0, 0.0};
  std::array<double, 2> scale = {1.0, 1.0};
};

// The median distance of the layer's lines from the origin; 1 where all go
// through it.
double TypicalDistance(const AffineMap& first) {
  std::vector<double> distances;
  for (int64_t i = 0; i < first.rows; ++i) {
    double square = 0.0;
    for (int64_t j = 0; j < first.columns; ++j) {
      const double weight =
          first.weight[static_cast<size_t>(i * first.columns + j)];
      square += weight * weight;
    }
    const double distance =
        std::abs(first.bias[static_cast<size_t>(i)]) / std::sqrt(square);
    if (distance > 0.0 && std::isfinite(distance))
      distances.push_back(distance);
  }
  if (distances.empty()) return 1.0;
  const auto middle =
      distances.begin() + static_cast<int64_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  return *middle;
}

absl::StatusOr<Domain> DomainOf(const ExactLipschitzOptions& options,
                                const AffineMap& first) {
  const auto inputs = static_cast<size_t>(first.columns);
  if (inputs > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("exact Lipschitz constant: the network must have 1 or 2 "
                     "inputs, it has ",
                     inputs));
  }
  Domain domain;
  if (options.lower.empty() && options.upper.empty()) {
    domain.polygons = ProjectivePolygon::Quadrants();
    domain.scale.fill(TypicalDistance(first));
    return domain;
  }
  if (options.lower.size() != inputs || options.upper.size() != inputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("exact Lipschitz constant: the box has ",
                     options.lower.size(), " lower and ", options.upper.size(),
                     " upper limits for ", inputs, " inputs"));
  }
  for (size_t i = 0; i < inputs; ++i) {
    const double lower = options.lower[i];
    const double upper = options.upper[i];
    if (!(lower < upper) || !std::isfinite(upper - lower)) {
      return absl::InvalidArgumentError(
          absl::StrCat("exact Lipschitz constant: the box is from ", lower,
                       " to ", upper, " in input ", i));
    }
    domain.centre[i] = lower + 0.5 * (upper - lower);
    domain.scale[i] = 0.5 * (upper - lower);
  }
  domain.polygons = {ProjectivePolygon::Square()};
  return domain;
}

// The norm of a matrix (rows, 2), given row by row.
double MatrixNorm(const std::vector<std::array<double, 2>>& rows, Norm norm) {
  double first = 0.0;
  double second = 0.0;
  double mixed = 0.0;
  double largest = 0.0;
  for (const auto& [a, b] : rows) {
    switch (norm) {
      case Norm::kL1:
        first += std::abs(a);
        second += std::abs(b);
        break;
      case Norm::kL2:
        first += a * a;
        second += b * b;
        mixed += a * b;
        break;
      case Norm::kLinf:
        largest = std::max(largest, std::abs(a) + std::abs(b));
        break;
    }
  }
  if (norm == Norm::kL1) return std::max(first, second);
  if (norm == Norm::kLinf) return largest;
  // The larger eigenvalue of the Gram matrix.
  return std::sqrt(0.5 * (first + second) +
                   std::hypot(0.5 * (first - second), mixed));
}

// A character for each factor that one activation may have.
const char* FactorSign(double factor) {
  if (factor == 1.0) return "+";
  if (factor == -1.0) return "-";
  return factor == 0.0 ? "0" : "s";
}

class RegionSearch {
 public:
  RegionSearch(const std::vector<ChainStep>& steps, const Domain& domain,
               const ExactLipschitzOptions& options)
      : steps_(steps), domain_(domain), options_(options) {}

  absl::StatusOr<ExactLipschitz> Run() {
    for (const ProjectivePolygon& polygon : domain_.polygons) {
      Piece piece = Input();
      piece.polygon = polygon;
      pending_.push_back(std::move(piece));
    }
    while (!pending_.empty()) {
      Piece piece = std::move(pending_.back());
      pending_.pop_back();
      LIPSCHITZ_RETURN_IF_ERROR(Advance(std::move(piece)));
    }
    return Steepest();
  }

 private:
  // A polygon on which all layers before `step` are affine.
  struct Piece {
    ProjectivePolygon polygon;
    size_t step = 0;
    // Of the units before the step, in z. And bounds on the lengths of what
    // rounding has made of them.
    std::vector<LinearForm> values;
    std::vector<double> errors;
    // What the activations before the step selected.
    std::string pattern;
  };

  struct Slope {
    double norm = 0.0;
    std::array<double, 2> point = {0.0, 0.0};  // in z
  };

  // The inputs as functions of z.
  Piece Input() const {
    Piece piece;
    for (size_t i = 0; i < static_cast<size_t>(steps_.front().width); ++i) {
      LinearForm value = {0, 0, domain_.centre[i]};
      value[i] = domain_.scale[i];
      piece.values.push_back(value);
      piece.errors.push_back(0.0);
    }
    return piece;
  }

  absl::Status CheckCount(int64_t more, const ChainStep& step) const {
    const int64_t pieces =
        static_cast<int64_t>(pending_.size() + slopes_.size()) + more;
    if (pieces <= options_.max_regions) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "exact Lipschitz constant: more than max_regions = ",
        options_.max_regions, " affine pieces, at layer '", step.layer, "'"));
  }

  // To the next activation that divides the piece, or to the end.
  absl::Status Advance(Piece piece) {
    while (piece.step < steps_.size()) {
      const ChainStep& step = steps_[piece.step];
      if (!step.is_affine) return Divide(piece, step);
      Apply(step.affine, &piece);
      ++piece.step;
    }
    LIPSCHITZ_RETURN_IF_ERROR(CheckCount(1, steps_.back()));
    patterns_.insert(piece.pattern);
    const HomogeneousPoint centre = piece.polygon.Centre();
    slopes_.push_back(
        {NormOf(piece.values), {centre[0] / centre[2], centre[1] / centre[2]}});
    return absl::OkStatus();
  }

  static void Apply(const AffineMap& map, Piece* piece) {
    const double unit =
        2.0 * rounding::Gamma(static_cast<double>(map.columns) + 3.0);
    std::vector<LinearForm> values;
    std::vector<double> errors;
    for (int64_t i = 0; i < map.rows; ++i) {
      LinearForm sum = {0, 0, map.bias[static_cast<size_t>(i)]};
      double magnitude = std::abs(sum[2]);
      double error = 0.0;
      for (int64_t j = 0; j < map.columns; ++j) {
        const double weight =
            map.weight[static_cast<size_t>(i * map.columns + j)];
        const LinearForm& value = piece->values[static_cast<size_t>(j)];
        for (size_t k = 0; k < 3; ++k) sum[k] += weight * value[k];
        magnitude += std::abs(weight) * Length(value);
        error += std::abs(weight) * piece->errors[static_cast<size_t>(j)];
      }
      values.push_back(sum);
      errors.push_back(error + unit * magnitude);
    }
    piece->values = std::move(values);
    piece->errors = std::move(errors);
  }

  absl::Status Divide(const Piece& piece, const ChainStep& step) {
    std::vector<ProjectivePolygon> polygons = {piece.polygon};
    std::vector<std::pair<int64_t, int64_t>> undecided;
    const auto pairs = DecidingPairs(step.activation,
                                     static_cast<int64_t>(piece.values.size()));
    for (const auto& [i, j] : pairs) {
      LinearForm form = piece.values[static_cast<size_t>(i)];
      double error = piece.errors[static_cast<size_t>(i)];
      if (j >= 0) {
        const LinearForm& other = piece.values[static_cast<size_t>(j)];
        error += piece.errors[static_cast<size_t>(j)] +
                 rounding::kUnit * (Length(form) + Length(other));
        for (size_t k = 0; k < 3; ++k) form[k] -= other[k];
      }
      // Zero everywhere but for rounding: it decides nothing.
      if (Length(form) <= 8.0 * error) {
        undecided.emplace_back(i, j);
        continue;
      }
      const double tolerance = options_.tolerance + 2.0 * error / Length(form);
      std::vector<ProjectivePolygon> parts;
      for (const ProjectivePolygon& polygon : polygons) {
        ProjectivePolygon::Halves halves = polygon.Cut(form, tolerance);
        if (halves.positive) parts.push_back(*std::move(halves.positive));
        if (halves.negative) parts.push_back(*std::move(halves.negative));
      }
      polygons = std::move(parts);
      LIPSCHITZ_RETURN_IF_ERROR(
          CheckCount(static_cast<int64_t>(polygons.size()), step));
    }
    for (ProjectivePolygon& polygon : polygons) {
      Piece part;
      part.polygon = std::move(polygon);
      part.step = piece.step + 1;
      part.pattern = piece.pattern;
      const HomogeneousPoint centre = part.polygon.Centre();
      std::vector<double> values;
      for (const LinearForm& value : piece.values) {
        values.push_back(Dot(value, centre));
      }
      for (const auto& [i, j] : undecided) {
        const auto unit = static_cast<size_t>(i);
        (j < 0 ? values[unit] : values[static_cast<size_t>(j)]) =
            j < 0 ? 0.0 : values[unit];
      }
      Select(SelectionsAt(step.activation, values), piece, &part);
      pending_.push_back(std::move(part));
    }
    return absl::OkStatus();
  }

  static void Select(const std::vector<Selection>& selections,
                     const Piece& from, Piece* to) {
    for (const Selection& selection : selections) {
      const auto source = static_cast<size_t>(selection.source);
      LinearForm value = from.values[source];
      for (double& coefficient : value) coefficient *= selection.factor;
      to->values.push_back(value);
      to->errors.push_back(
          std::abs(selection.factor) *
          (from.errors[source] + rounding::kUnit * Length(value)));
      absl::StrAppend(&to->pattern, selection.source,
                      FactorSign(selection.factor));
    }
  }

  double NormOf(const std::vector<LinearForm>& values) const {
    std::vector<std::array<double, 2>> jacobian;
    for (const LinearForm& value : values) {
      jacobian.push_back(
          {value[0] / domain_.scale[0], value[1] / domain_.scale[1]});
    }
    return MatrixNorm(jacobian, options_.norm);
  }

  // The norm of the Jacobian at a point itself, whatever piece it is in.
  double NormAt(const std::array<double, 2>& point) const {
    Piece piece = Input();
    for (const ChainStep& step : steps_) {
      if (step.is_affine) {
        Apply(step.affine, &piece);
        continue;
      }
      std::vector<double> values;
      for (const LinearForm& value : piece.values) {
        values.push_back(Dot(value, {point[0], point[1], 1.0}));
      }
      Piece next;
      Select(SelectionsAt(step.activation, values), piece, &next);
      piece = std::move(next);
    }
    return NormOf(piece.values);
  }

  // A piece whose cuts were all within the tolerance of each other may not
  // exist; what is answered is the slope at an actual point.
  ExactLipschitz Steepest() {
    std::sort(slopes_.begin(), slopes_.end(),
              [](const Slope& a, const Slope& b) { return a.norm > b.norm; });
    ExactLipschitz result;
    result.regions = static_cast<int64_t>(patterns_.size());
    bool found = false;
    for (const Slope& slope : slopes_) {
      if (found && slope.norm <= result.constant * (1.0 + 1e-12)) break;
      const double norm = NormAt(slope.point);
      if (found && norm <= result.constant) continue;
      found = true;
      result.constant = norm;
      std::vector<double> point;
      for (size_t i = 0; i < static_cast<size_t>(steps_.front().width); ++i) {
        point.push_back(domain_.centre[i] + domain_.scale[i] * slope.point[i]);
      }
      result.point = at::tensor(point, at::TensorOptions(at::kDouble));
    }
    return result;
  }

  const std::vector<ChainStep>& steps_;
  const Domain& domain_;
  const ExactLipschitzOptions& options_;
  std::vector<Piece> pending_;
  std::vector<Slope> slopes_;
  std::unordered_set<std::string> patterns_;
};

}  // namespace

absl::StatusOr<ExactLipschitz> ComputeExactLipschitz(
    LayerImpl& network, const ExactLipschitzOptions& options) {
  if (options.max_regions < 1 || !(options.tolerance >= 0.0) ||
      options.tolerance > 1e-3) {
    return absl::InvalidArgumentError(absl::StrCat(
        "exact Lipschitz constant: max_regions must be at least 1 and the "
        "tolerance in [0, 1e-3], got ",
        options.max_regions, " and ", options.tolerance));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<ChainStep> steps,
                             AffineChainOf(network));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Domain domain,
                             DomainOf(options, steps.front().affine));
  return CatchTorch("exact Lipschitz constant",
                    [&]() -> absl::StatusOr<ExactLipschitz> {
                      return RegionSearch(steps, domain, options).Run();
                    });
}

}  // namespace lipschitz
