#include "lipschitz/linalg/bjorck.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/power_iteration.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<BjorckScaling, const char*>, 4> kScalingNames = {
    {
        {BjorckScaling::kNone, "none"},
        {BjorckScaling::kSqrtSize, "sqrt_size"},
        {BjorckScaling::kPowerIteration, "power_iteration"},
        {BjorckScaling::kUpperBound, "upper_bound"},
    }};

// Coefficients of q, q², q³, q⁴ in (1 − q)^{-1/2}.
constexpr std::array<double, 4> kSeries = {1.0 / 2, 3.0 / 8, 5.0 / 16,
                                           35.0 / 128};

// The Gram matrix on the smaller side: WWᵀ for a wide matrix, WᵀW for a tall
// one.
at::Tensor SmallerGram(const at::Tensor& w) {
  return w.size(0) <= w.size(1) ? at::mm(w, w.t()) : at::mm(w.t(), w);
}

// I − Gram; its eigenvalues are q = 1 − σ².
at::Tensor Defect(const at::Tensor& w) {
  const at::Tensor gram = SmallerGram(w);
  return at::eye(gram.size(0), gram.options()) - gram;
}

// W + Σ_k c_k Qᵏ W (from the left for a wide matrix, from the right for a tall
// one), the sum by Horner's rule on the small matrix Q.
at::Tensor Step(const at::Tensor& w, const at::Tensor& defect, int order,
                double beta) {
  at::Tensor factor;
  if (order == 1) {
    factor = defect * beta;
  } else {
    factor = defect * kSeries[order - 1];
    for (int k = order - 2; k >= 0; --k) {
      factor = at::addmm(defect, defect, factor, kSeries[k]);
    }
  }
  return w.size(0) <= w.size(1) ? at::addmm(w, factor, w)
                                : at::addmm(w, w, factor);
}

double ScaleOf(const at::Tensor& w, const BjorckOptions& options) {
  switch (options.scaling) {
    case BjorckScaling::kNone:
      return 1.0;
    case BjorckScaling::kSqrtSize:
      return std::sqrt(static_cast<double>(w.size(0)) *
                       static_cast<double>(w.size(1)));
    case BjorckScaling::kPowerIteration:
      return PowerIteration(w, options.power_iterations).sigma;
    case BjorckScaling::kUpperBound: {
      const double largest = w.abs().max().item<double>();
      if (largest == 0.0) return 0.0;
      // Entries in [−1, 1]: squares of tiny and huge ones are not
      // representable.
      const at::Tensor unit = w / largest;
      const at::Tensor magnitude = unit.abs();
      const double columns = magnitude.sum(0).max().item<double>();
      const double rows = magnitude.sum(1).max().item<double>();
      const double frobenius = unit.norm().item<double>();
      const double gram = std::sqrt(SmallerGram(unit).norm().item<double>());
      const double bound =
          std::min({frobenius, std::sqrt(rows * columns), gram});
      // Rounding may put it below the norm by 1e-6, which is far from the
      // limit.
      return largest * bound;
    }
  }
  return 1.0;
}

void Report(const at::Tensor& weight, BjorckResult* result) {
  const at::Tensor defect = Defect(weight.detach().to(at::kDouble).cpu());
  result->residual = defect.norm().item<double>();
  const at::Tensor q = at::linalg_eigvalsh(defect);
  result->smallest_singular_value =
      std::sqrt(std::max(0.0, 1.0 - q.max().item<double>()));
  result->largest_singular_value =
      std::sqrt(std::max(0.0, 1.0 - q.min().item<double>()));
}

}  // namespace

std::string BjorckScalingName(BjorckScaling scaling) {
  for (const auto& [value, name] : kScalingNames) {
    if (value == scaling) return name;
  }
  return "unknown";
}

absl::StatusOr<BjorckScaling> ParseBjorckScaling(const std::string& name) {
  std::string known;
  for (const auto& [value, known_name] : kScalingNames) {
    if (name == known_name) return value;
    absl::StrAppend(&known, known.empty() ? "" : ", ", known_name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown Björck scaling '", name, "'; known: ", known));
}

absl::Status BjorckOptions::Validate() const {
  if (order < 1 || order > 4) {
    return absl::InvalidArgumentError(
        absl::StrCat("Björck order must be 1, 2, 3 or 4, got ", order));
  }
  if (!(beta > 0.0 && beta <= 0.5)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Björck beta must be in (0, 0.5], got ", beta));
  }
  if (order > 1 && beta != 0.5) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Björck order ", order, " is defined for beta 0.5 only, got ", beta));
  }
  if (iterations < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("Björck needs at least 1 iteration, got ", iterations));
  }
  if (!(tolerance >= 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("Björck tolerance must not be negative, got ", tolerance));
  }
  if (scaling == BjorckScaling::kPowerIteration && power_iterations < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "Björck scaling by power iteration needs at least 1 step, got ",
        power_iterations));
  }
  return absl::OkStatus();
}

at::Tensor BjorckStep(const at::Tensor& w, int order, double beta) {
  return Step(w, Defect(w), order, beta);
}

absl::StatusOr<BjorckResult> Bjorck(const at::Tensor& w,
                                    const BjorckOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  LIPSCHITZ_RETURN_IF_ERROR(CheckMatrix(w, "Björck"));
  return CatchTorch("Björck", [&]() -> absl::StatusOr<BjorckResult> {
    BjorckResult result;
    result.residual = std::numeric_limits<double>::quiet_NaN();
    result.smallest_singular_value = result.residual;
    result.largest_singular_value = result.residual;
    result.scale = ScaleOf(w.detach(), options);
    if (!(result.scale > 0.0) || !w.detach().any().item<bool>()) {
      return absl::InvalidArgumentError(
          absl::StrCat("Björck: the matrix ", ShapeString(w),
                       " is zero and has no polar "
                       "factor"));
    }
    at::Tensor weight =
        options.scaling == BjorckScaling::kNone ? w : w / result.scale;
    const bool until_converged = options.tolerance > 0.0;
    result.converged = !until_converged;
    while (true) {
      // With all its iterations done, only the tolerance still asks for the
      // defect.
      if (result.iterations == options.iterations && !until_converged) break;
      const at::Tensor defect = Defect(weight);
      // At least one iteration: the scale is a constant for gradients, so the
      // derivative of the polar factor comes from the iterations alone.
      if (until_converged && result.iterations > 0 &&
          defect.detach().norm().item<double>() <= options.tolerance) {
        result.converged = true;
        break;
      }
      if (result.iterations == options.iterations) break;
      weight = Step(weight, defect, options.order, options.beta);
      ++result.iterations;
    }
    // A single infinity or NaN makes the sum one.
    if (!std::isfinite(weight.detach().sum().item<double>())) {
      return absl::InvalidArgumentError(
          absl::StrCat("Björck: diverged after ", result.iterations,
                       " iterations; the norm of the matrix ", ShapeString(w),
                       " divided by the scale ", result.scale,
                       " is beyond the range of order ", options.order));
    }
    result.weight = weight;
    if (options.report) Report(weight, &result);
    return result;
  });
}

}  // namespace lipschitz
