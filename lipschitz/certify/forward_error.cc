#include "lipschitz/certify/forward_error.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/dual_norms.h"

namespace lipschitz {
namespace {

using rounding::Gamma;
using rounding::kInfinity;
using rounding::Up;

// A format of numbers.
struct Format {
  double unit;  // unit roundoff
  double
      subnormal;  // the least positive number: more than what underflow loses
  double safe;    // what no intermediate value may exceed
};
constexpr Format kFloat64Format = {rounding::kUnit, 5e-324,
                                   std::numeric_limits<double>::max() / 8};
constexpr Format kFloat32Format = {
    rounding::kFloat32Unit, 1.5e-45,
    static_cast<double>(std::numeric_limits<float>::max()) / 8};

// All that follows computes sums and products of non-negative numbers in
// float64, with a few dozen roundings one after the other at most.
constexpr double kInflation = 1.0 + 128 * rounding::kUnit;

// a · b where 0 · ∞ is 0: what does not move moves nothing, and a zero map
// keeps nothing.
at::Tensor Product(const at::Tensor& a, const at::Tensor& b) {
  return at::where(at::logical_or(a == 0, b == 0), at::zeros({}, a.options()),
                   a * b);
}

at::Tensor TableTensor(const BoundTable& table) {
  std::vector<double> values;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) values.push_back(table.At(in, out));
  }
  return at::tensor(values, at::kDouble).reshape({3, 3});
}

// Norms (n, 3) of a vector to bounds (n, 3) on those of its image.
at::Tensor Through(const BoundTable& table, const at::Tensor& norms) {
  const at::Tensor bounds = TableTensor(table).to(norms.device());
  return Product(norms.unsqueeze(2), bounds.unsqueeze(0)).amin(1) * kInflation;
}

}  // namespace

// (n, 3) each: the distances, in every norm, of the computed from the exact
// value at the same input.
struct ForwardErrorBound::Errors {
  at::Tensor centre;  // at the image, in float64
  at::Tensor ball;    // at every point of the ball, in the arithmetic
  // Of the exact value anywhere in the ball from that at the image.
  at::Tensor reach;
  at::Tensor overflow;  // (n) bool

  // By how much |h| anywhere in the ball, as computed, exceeds |h| at the
  // image, as computed.
  at::Tensor Slack() const { return (centre + ball + reach) * kInflation; }
};

namespace {

// A bound on the rounding errors of a step from those on the magnitudes of what
// it adds: γ_operations · magnitudes + γ_2 |b|, and what underflowed.
at::Tensor Rounding(const Format& format, double operations, double scale,
                    const at::Tensor& magnitudes, const at::Tensor& bias,
                    double width) {
  const double factor = Up(std::abs(scale) * Gamma(operations, format.unit));
  const double bias_factor = Up(std::abs(scale) * Gamma(2, format.unit));
  const double underflow =
      width * format.subnormal * (operations * std::abs(scale) + 1.0);
  return (Product(magnitudes, at::full({}, factor, magnitudes.options())) +
          bias * bias_factor + underflow) *
         kInflation;
}

at::Tensor Exceeds(const Format& format, double scale,
                   const at::Tensor& largest) {
  // Not a number exceeds, too.
  return (largest * std::max(1.0, std::abs(scale)) <= format.safe)
      .logical_not();
}

at::Tensor Column(const at::Tensor& norms, Norm norm) {
  return norms.select(-1, static_cast<int64_t>(norm));
}

at::Tensor BiasNorms(const RoundedMap& map, const at::TensorOptions& options) {
  return at::tensor({map.bias_norms[0], map.bias_norms[1], map.bias_norms[2]},
                    options);
}

// More than a layer has outputs.
constexpr double kMostOutputs = 1e12;

}  // namespace

absl::StatusOr<ForwardErrorBound> ForwardErrorBound::Create(
    const NetworkParts& parts, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kExact) {
    return absl::InvalidArgumentError(
        "rounding errors of exact arithmetic: there are none");
  }
  return CatchTorch(
      "rounding errors", [&]() -> absl::StatusOr<ForwardErrorBound> {
        ForwardErrorBound bound;
        bound.arithmetic_ = arithmetic;
        for (const auto& [layer, bounds] : parts.body) {
          LIPSCHITZ_ASSIGN_OR_RETURN(RoundedMap map,
                                     RoundedMapOf(*layer, bounds, arithmetic));
          bound.body_.push_back(std::move(map));
        }
        bound.has_head_ = parts.head != nullptr;
        if (bound.has_head_) {
          LIPSCHITZ_ASSIGN_OR_RETURN(
              bound.head_,
              RoundedMapOf(*parts.head, parts.head_bounds, arithmetic));
          LIPSCHITZ_ASSIGN_OR_RETURN(const LinearParts head,
                                     LinearPartsOf(*parts.head));
          bound.head_bias_ =
              head.bias.defined()
                  ? head.bias.abs()
                  : at::zeros({head.weight_t.size(1)}, head.weight_t.options());
          bound.head_row_norms_ = DualNorms(head.magnitude_t.t().contiguous());
          bound.head_pair_norms_ =
              PairDualNorms(head.weight_t.t().contiguous()) *
              (std::abs(bound.head_.scale) * kInflation);
        }
        return bound;
      });
}

ForwardErrorBound::Centres ForwardErrorBound::Evaluate(
    const at::Tensor& images) const {
  Centres centres;
  at::Tensor h = images;
  for (const RoundedMap& map : body_) {
    if (map.operations > 0.0) {
      const at::Tensor magnitudes = map.magnitudes(h).flatten(1);
      centres.magnitudes.push_back(VectorNorms(magnitudes));
      centres.widths.push_back(magnitudes.size(1));
    }
    h = map.apply(h);
  }
  if (has_head_) {
    centres.head_magnitudes = head_.magnitudes(h);
    h = head_.apply(h);
  }
  centres.logits = h;
  return centres;
}

at::Tensor ForwardErrorBound::PairErrors(const Centres& centres,
                                         const at::Tensor& labels, Norm norm,
                                         const at::Tensor& radii) const {
  const Format& format =
      arithmetic_ == Arithmetic::kFloat32 ? kFloat32Format : kFloat64Format;
  const int64_t n = radii.size(0);
  const int64_t classes = centres.logits.size(1);
  const auto options = centres.logits.options();
  // From the input to the step at hand, in exact arithmetic.
  BoundTable prefix = BoundTable::SameNorm(1.0);
  const auto reach = [&] {
    const at::Tensor bounds =
        TableTensor(prefix)[static_cast<int64_t>(norm)].to(options.device());
    return Product(radii.unsqueeze(1), bounds.unsqueeze(0)) * kInflation;
  };
  Errors errors = {at::zeros({n, 3}, options), at::zeros({n, 3}, options),
                   reach(), at::zeros({n}, options.dtype(at::kBool))};
  size_t rounded = 0;
  for (const RoundedMap& step : body_) {
    at::Tensor centre = Through(step.bounds, errors.centre);
    at::Tensor ball = Through(step.bounds, errors.ball);
    if (step.operations > 0.0) {
      const at::Tensor& at_centre = centres.magnitudes.at(rounded);
      const double width = static_cast<double>(centres.widths.at(rounded));
      ++rounded;
      const at::Tensor in_ball =
          (at_centre + Through(step.magnitude, errors.Slack())) * kInflation;
      const at::Tensor bias = BiasNorms(step, options);
      centre = (centre + Rounding(kFloat64Format, step.operations, step.scale,
                                  at_centre, bias, width)) *
               kInflation;
      ball = (ball + Rounding(format, step.operations, step.scale, in_ball,
                              bias, width)) *
             kInflation;
      errors.overflow.logical_or_(
          Exceeds(format, step.scale, Column(in_ball + bias, Norm::kLinf)));
    }
    errors.centre = centre;
    errors.ball = ball;
    prefix = prefix.Then(step.bounds);
    errors.reach = reach();
  }

  // For each pair of the label and another class.
  at::Tensor pairs;  // (n or 1, classes, 3)
  if (has_head_) {
    pairs = head_pair_norms_.index_select(0, labels);
  } else {
    pairs = at::tensor({1.0, Up(std::sqrt(2.0)), 2.0}, options)
                .expand({1, classes, 3});
  }
  const auto through_pairs = [&](const at::Tensor& norms) {
    return Product(norms.unsqueeze(1), pairs).amin(2) * kInflation;
  };
  at::Tensor total = through_pairs(errors.centre) + through_pairs(errors.ball);
  if (has_head_) {
    const at::Tensor in_ball =
        (centres.head_magnitudes +
         Product(errors.Slack().unsqueeze(1), head_row_norms_.unsqueeze(0))
             .amin(2)) *
        kInflation;
    const at::Tensor logits =
        Rounding(kFloat64Format, head_.operations, head_.scale,
                 centres.head_magnitudes, head_bias_, /*width=*/1.0) +
        Rounding(format, head_.operations, head_.scale, in_ball, head_bias_,
                 /*width=*/1.0);
    total = total + logits + logits.gather(1, labels.unsqueeze(1));
    errors.overflow.logical_or_(
        Exceeds(format, head_.scale, (in_ball + head_bias_).amax(1)));
  }
  total = total * kInflation;
  // Not a number: an overflow in the bounds themselves.
  total = at::where(total >= 0, total, at::full({}, kInfinity, options));
  return total.masked_fill(errors.overflow.unsqueeze(1), kInfinity);
}

at::Tensor ForwardErrorBound::ErrorsByNorms(const at::Tensor& norms,
                                            double relative_error) const {
  const Format& format =
      arithmetic_ == Arithmetic::kFloat32 ? kFloat32Format : kFloat64Format;
  const auto options = norms.options();
  at::Tensor exact = norms;  // of the values, in exact arithmetic
  at::Tensor errors = norms * (relative_error * kInflation);
  at::Tensor overflow = at::zeros({norms.size(0)}, options.dtype(at::kBool));
  const auto follow = [&](const RoundedMap& step) {
    at::Tensor passed_on = Through(step.bounds, errors);
    const at::Tensor bias = BiasNorms(step, options);
    if (step.operations > 0.0) {
      const at::Tensor magnitudes =
          Through(step.magnitude, (exact + errors) * kInflation);
      passed_on = (passed_on + Rounding(format, step.operations, step.scale,
                                        magnitudes, bias, kMostOutputs)) *
                  kInflation;
      overflow.logical_or_(
          Exceeds(format, step.scale, Column(magnitudes + bias, Norm::kLinf)));
    }
    errors = passed_on;
    // What no input becomes is the bias alone.
    exact = (Through(step.bounds, exact) + bias * std::abs(step.scale)) *
            kInflation;
  };
  for (const RoundedMap& step : body_) follow(step);
  if (has_head_) follow(head_);
  // Not a number: an overflow in the bounds themselves.
  errors = at::where(errors >= 0, errors, at::full({}, kInfinity, options));
  return errors.masked_fill(overflow.unsqueeze(1), kInfinity);
}

}  // namespace lipschitz
