#include "lipschitz/diagnostics/lipschitz_lower_bound.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/diagnostics/dual_vectors.h"

namespace lipschitz {
namespace {

// Steps of the power method at every point; vectors are kept from one point to
// the next.
constexpr int kPowerSteps = 3;

// How far f as computed is taken to be from f, relative to the largest ‖f‖
// among the pairs that are evaluated together.
constexpr double kRounding = 0x1p-48;

absl::Status Check(const at::Tensor& inputs, const LowerBoundOptions& options) {
  if (!inputs.defined() || inputs.scalar_type() != at::kDouble) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Lipschitz lower bound: the inputs must be float64, they are ",
        inputs.defined() ? c10::toString(inputs.scalar_type()) : "undefined"));
  }
  if (!inputs.isfinite().all().item<bool>()) {
    return absl::InvalidArgumentError(
        "Lipschitz lower bound: an input is not finite");
  }
  if (!(options.radius >= 0.0) || !std::isfinite(options.radius) ||
      options.steps < 0 || !(options.min_separation > 0.0) ||
      options.min_separation > 1.0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Lipschitz lower bound: the radius must be finite and not negative, "
        "steps not negative, min_separation in (0, 1], got ",
        options.radius, ", ", options.steps, ", ", options.min_separation));
  }
  return absl::OkStatus();
}

// Two points of every example, each (n, d).
struct Pairs {
  at::Tensor x;
  at::Tensor y;
};

at::Tensor Where(const at::Tensor& rows, const at::Tensor& a,
                 const at::Tensor& b) {
  return at::where(rows.unsqueeze(1), a, b);
}

class LowerBoundSearch {
 public:
  LowerBoundSearch(const BatchFunction& function, const at::Tensor& inputs,
                   const LowerBoundOptions& options)
      : function_(function),
        options_(options),
        shape_(inputs.sizes().vec()),
        centre_(inputs.detach().reshape({inputs.size(0), -1})),
        random_(options.seed) {
    unit_ = options.radius > 0.0
                ? options.radius
                : RowNorms(centre_, options.input_norm).mean().item<double>();
    if (unit_ == 0.0) unit_ = 1.0;
    best_ = {centre_, centre_};
    best_ratio_ = at::zeros({centre_.size(0)}, centre_.options());
  }

  absl::Status Run() {
    LIPSCHITZ_ASSIGN_OR_RETURN(const Pairs along, ClimbJacobian(centre_));
    const double half = 0.5 * unit_;
    const at::Tensor middle = 0.5 * (along.x + along.y);
    const at::Tensor direction = SteepestVectors(along.x - along.y, Input());
    ClimbPairs({middle + half * direction, middle - half * direction});
    ClimbPairs({centre_, centre_ + half * RandomDirections()});
    if (options_.radius == 0.0 && centre_.size(0) > 1) {
      ClimbPairs({centre_, centre_.roll(1, 0)});
    }
    Halve();
    return ClimbJacobian(0.5 * (best_.x + best_.y)).status();
  }

  LipschitzLowerBound Result() const {
    LipschitzLowerBound result;
    const int64_t place = best_ratio_.argmax().item<int64_t>();
    const std::vector<int64_t> example(shape_.begin() + 1, shape_.end());
    result.value = best_ratio_[place].item<double>();
    result.x = best_.x[place].reshape(example).clone();
    result.y = best_.y[place].reshape(example).clone();
    result.local = best_ratio_;
    return result;
  }

 private:
  Norm Input() const { return options_.input_norm; }

  at::Tensor RandomDirections() const {
    return SteepestVectors(at::randn(centre_.sizes(), random_.generator(),
                                     at::TensorOptions(at::kDouble))
                               .to(centre_.device()),
                           Input());
  }

  // Towards the centre until it is in the ball.
  at::Tensor Project(const at::Tensor& x) const {
    if (options_.radius == 0.0) return x;
    const at::Tensor step = x - centre_;
    // Less than the radius by what rounding could add.
    const at::Tensor factor =
        options_.radius * (1.0 - 1e-12) /
        RowNorms(step, Input()).clamp_min(options_.radius * 1e-6);
    return centre_ + step * factor.clamp_max(1.0).unsqueeze(1);
  }

  at::Tensor Evaluate(const at::Tensor& x) const {
    std::vector<int64_t> shape = shape_;
    shape[0] = x.size(0);
    return function_(x.reshape(shape)).reshape({x.size(0), -1});
  }

  // (n); 0 where the points are too close or the ratio is not finite.
  at::Tensor Ratios(const Pairs& pairs) const {
    const int64_t n = pairs.x.size(0);
    const at::Tensor values = Evaluate(at::cat({pairs.x, pairs.y}));
    const at::Tensor f_x = values.narrow(0, 0, n);
    const at::Tensor f_y = values.narrow(0, n, n);
    const Norm output = options_.output_norm;
    // Of those that are finite: the others' own ratios are 0.
    const at::Tensor sizes = RowNorms(values.detach(), output);
    const double rounding =
        2.0 * kRounding *
        sizes.masked_fill(sizes.isfinite().logical_not(), 0.0)
            .max()
            .item<double>();
    const at::Tensor change =
        (RowNorms(f_x - f_y, output) - rounding).clamp_min(0.0);
    const at::Tensor distance = RowNorms(pairs.x - pairs.y, Input());
    const at::Tensor ratio = change / distance;
    return ratio.masked_fill(
        at::logical_or(distance < options_.min_separation * unit_,
                       ratio.isfinite().logical_not()),
        0.0);
  }

  // Keeps what is better than the best. The ratios.
  at::Tensor Record(const Pairs& pairs) {
    const c10::NoGradGuard no_grad;
    const at::Tensor ratio = Ratios(pairs);
    const at::Tensor better = ratio > best_ratio_;
    best_ = {Where(better, pairs.x, best_.x), Where(better, pairs.y, best_.y)};
    best_ratio_ = at::where(better, ratio, best_ratio_);
    return ratio;
  }

  void ClimbPairs(Pairs pairs) {
    pairs = {Project(pairs.x), Project(pairs.y)};
    Record(pairs);
    for (int step = 0; step < options_.steps; ++step) {
      const c10::AutoGradMode with_gradients(true);
      const at::Tensor x = pairs.x.detach().requires_grad_(true);
      const at::Tensor y = pairs.y.detach().requires_grad_(true);
      const auto gradients =
          torch::autograd::grad({Ratios({x, y}).sum()}, {x, y});
      const c10::NoGradGuard no_grad;
      const double rest = 1.0 - static_cast<double>(step) / options_.steps;
      const at::Tensor size = (0.3 * rest + 0.01) *
                              RowNorms(pairs.x - pairs.y, Input()).unsqueeze(1);
      const auto moved = [&](const at::Tensor& point, const at::Tensor& by) {
        return Project(point +
                       size * SteepestVectors(by.nan_to_num(0, 0, 0), Input()));
      };
      const Pairs next = {moved(pairs.x, gradients[0]),
                          moved(pairs.y, gradients[1])};
      const at::Tensor usable = Record(next) > 0;
      pairs = {Where(usable, next.x, pairs.x), Where(usable, next.y, pairs.y)};
    }
  }

  // By the triangle inequality one half of a pair is as steep as the whole.
  void Halve() {
    for (int i = 0; i < 60; ++i) {
      const Pairs pairs = best_;
      const at::Tensor middle = 0.5 * (pairs.x + pairs.y);
      const bool wide = (RowNorms(pairs.x - pairs.y, Input()) >
                         2.0 * options_.min_separation * unit_)
                            .any()
                            .item<bool>();
      if (!wide) break;
      // Rounding may keep both halves from being better: then it ends.
      const at::Tensor before = best_ratio_.clone();
      Record({pairs.x, middle});
      Record({middle, pairs.y});
      if (at::equal(before, best_ratio_)) break;
    }
  }

  // The best Jacobian norms on the way from `points`, as the pairs around the
  // points at which they were found.
  absl::StatusOr<Pairs> ClimbJacobian(const at::Tensor& points) {
    at::Tensor here = points;
    at::Tensor w;
    at::Tensor slope;
    at::Tensor v;
    at::Tensor uphill = at::zeros_like(points);
    at::Tensor size =
        at::full({points.size(0), 1}, 0.1 * unit_, points.options());
    for (int step = 0; step < options_.steps + 1; ++step) {
      at::Tensor candidate = here;
      if (step > 0) {
        const at::Tensor flat = (uphill == 0).all(1);
        candidate =
            Project(here + size * Where(flat, RandomDirections(),
                                        SteepestVectors(uphill, Input())));
      }
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const Linearisation jacobian,
          Linearisation::At(function_, candidate.reshape(shape_)));
      at::Tensor next_w = w.defined() ? w : FirstOutputVectors(jacobian);
      at::Tensor gradient;
      for (int i = 0; i < kPowerSteps; ++i) {
        gradient = jacobian.TransposedTimes(next_w);
        const at::Tensor turned =
            SteepestVectors(jacobian.Times(SteepestVectors(gradient, Input())),
                            DualNorm(options_.output_norm));
        // Where the Jacobian is zero the vector stays as it was, for the next.
        next_w = Where((turned == 0).all(1), next_w, turned);
      }
      gradient = jacobian.TransposedTimes(next_w).nan_to_num(0, 0, 0);
      const at::Tensor next_slope = RowNorms(gradient, DualNorm(Input()));
      const at::Tensor next_v = SteepestVectors(gradient, Input());
      const at::Tensor next_uphill =
          jacobian.SlopeGradient(next_w, next_v).nan_to_num(0, 0, 0);
      if (step == 0) {
        w = next_w;
        slope = next_slope;
        v = next_v;
        uphill = next_uphill;
      } else {
        const at::Tensor better = next_slope > slope;
        here = Where(better, candidate, here);
        w = Where(better, next_w, w);
        v = Where(better, next_v, v);
        uphill = Where(better, next_uphill, uphill);
        slope = at::where(better, next_slope, slope);
        size = size * Where(better, at::full_like(size, 1.5),
                            at::full_like(size, 0.8));
      }
      Record(Around(candidate, next_v, 10.0 * options_.min_separation));
    }
    for (const double reach : {1e-1, 1e-2, 1e-3, 1e-4}) {
      if (reach > options_.min_separation) Record(Around(here, v, reach));
    }
    const Pairs closest = Around(here, v, 1.01 * options_.min_separation);
    Record(closest);
    return closest;
  }

  // Of the output, with dual norm 1 at most.
  at::Tensor FirstOutputVectors(const Linearisation& jacobian) const {
    return SteepestVectors(
        at::randn({jacobian.examples(), jacobian.outputs()},
                  random_.generator(), at::TensorOptions(at::kDouble))
            .to(centre_.device()),
        DualNorm(options_.output_norm));
  }

  Pairs Around(const at::Tensor& x, const at::Tensor& v, double reach) const {
    const at::Tensor half = 0.5 * reach * unit_ * v;
    return {Project(x + half), Project(x - half)};
  }

  const BatchFunction& function_;
  const LowerBoundOptions& options_;
  const std::vector<int64_t> shape_;
  const at::Tensor centre_;  // the inputs, (n, d)
  const RandomSource random_;
  double unit_ = 0.0;  // the length that separations are relative to
  Pairs best_;
  at::Tensor best_ratio_;  // (n)
};

}  // namespace

absl::StatusOr<LipschitzLowerBound> FindLipschitzLowerBound(
    const BatchFunction& function, const at::Tensor& inputs,
    const LowerBoundOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(Check(inputs, options));
  // Says what is wrong with the function or the shape.
  LIPSCHITZ_RETURN_IF_ERROR(Linearisation::At(function, inputs).status());
  return CatchTorch("Lipschitz lower bound",
                    [&]() -> absl::StatusOr<LipschitzLowerBound> {
                      const c10::NoGradGuard no_grad;
                      LowerBoundSearch search(function, inputs, options);
                      LIPSCHITZ_RETURN_IF_ERROR(search.Run());
                      return search.Result();
                    });
}

absl::StatusOr<LipschitzTightness> MeasureTightness(
    LayerImpl& network, const at::Tensor& inputs,
    const LowerBoundOptions& options) {
  if (!inputs.defined() || !inputs.is_floating_point()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tightness: the inputs must be of a floating point type, they are ",
        inputs.defined() ? c10::toString(inputs.scalar_type()) : "undefined"));
  }
  const Float64Evaluation evaluation(network);
  LipschitzTightness result;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      result.proven,
      network.LipschitzBound(options.input_norm, options.output_norm));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      result.lower, FindLipschitzLowerBound(ForwardOf(network),
                                            inputs.to(at::kDouble), options));
  const bool both_zero = result.proven == 0.0 && result.lower.value == 0.0;
  result.tightness = both_zero ? 1.0 : result.lower.value / result.proven;
  return result;
}

}  // namespace lipschitz
