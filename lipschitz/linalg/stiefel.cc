#include "lipschitz/linalg/stiefel.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/power_iteration.h"

namespace lipschitz {
namespace {

// Beyond it Newton–Schulz may diverge (it needs σ² < 3) or stall (σ² near 0).
constexpr double kLargestDefect = 0.8;
// The power iteration finds the defect from below.
constexpr double kEstimateAllowance = 1.1;
constexpr int kPowerIterations = 3;

bool IsWide(const at::Tensor& w) { return w.size(0) <= w.size(1); }

// Gram − I.
at::Tensor DefectMatrix(const at::Tensor& w) {
  at::Tensor defect = SmallerGram(w);
  defect.diagonal().sub_(1);
  return defect;
}

// W − ½ (Gram − I) W.
at::Tensor NewtonSchulzStep(const at::Tensor& w, const at::Tensor& defect) {
  return IsWide(w) ? at::addmm(w, defect, w, /*beta=*/1, /*alpha=*/-0.5)
                   : at::addmm(w, w, defect, /*beta=*/1, /*alpha=*/-0.5);
}

double AfterOneStep(double defect) {
  return defect * defect * (0.75 + 0.25 * defect);
}

// ‖D‖₂, exactly enough for the decisions of Retract: the Frobenius norm is an
// upper bound, and where it already promises the tolerance nothing else is
// computed.
double SizeOf(const at::Tensor& defect, double tolerance) {
  const double frobenius = defect.norm().item<double>();
  if (!std::isfinite(frobenius) || frobenius == 0.0) return frobenius;
  if (frobenius < kLargestDefect && AfterOneStep(frobenius) <= tolerance) {
    return frobenius;
  }
  return std::min(
      frobenius,
      kEstimateAllowance * PowerIteration(defect, kPowerIterations).sigma);
}

}  // namespace

absl::Status RetractionOptions::Validate() const {
  if (max_steps < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("retraction needs at least 1 step, got ", max_steps));
  }
  if (!(tolerance > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("retraction tolerance must be positive, got ", tolerance));
  }
  return absl::OkStatus();
}

absl::StatusOr<RetractionResult> Retract(const at::Tensor& w,
                                         const RetractionOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  return CatchTorch("retraction", [&]() -> absl::StatusOr<RetractionResult> {
    c10::NoGradGuard no_grad;
    RetractionResult result;
    result.weight = w.detach();
    at::Tensor defect = DefectMatrix(result.weight);
    result.defect = SizeOf(defect, options.tolerance);
    if (!std::isfinite(result.defect)) {
      // Names the entries; finite ones may also overflow.
      LIPSCHITZ_RETURN_IF_ERROR(CheckMatrix(w, "retraction"));
      result.defect = std::numeric_limits<double>::infinity();
    }
    if (result.defect > kLargestDefect) {
      LIPSCHITZ_ASSIGN_OR_RETURN(const PolarResult polar,
                                 PolarFactor(result.weight));
      result.weight = polar.weight;
      result.restarted = true;
      return result;
    }
    double expected = result.defect;
    while (true) {
      result.weight = NewtonSchulzStep(result.weight, defect);
      expected = AfterOneStep(expected);
      ++result.steps;
      if (expected <= options.tolerance || result.steps == options.max_steps) {
        return result;
      }
      defect = DefectMatrix(result.weight);
    }
  });
}

double EstimateDefect(const at::Tensor& w, at::Tensor v) {
  c10::NoGradGuard no_grad;
  const at::Tensor weight = w.detach();
  const auto apply = [&](const at::Tensor& x) {
    return IsWide(weight) ? at::mv(weight, at::mv(weight.t(), x)) - x
                          : at::mv(weight.t(), at::mv(weight, x)) - x;
  };
  // A drift in a new direction may be orthogonal to the old one, not to a
  // vector without structure; the second step brings it to the front.
  at::Tensor direction =
      v + at::arange(1, v.size(0) + 1, v.options())
              .cos_()
              .mul_(std::sqrt(2.0 / static_cast<double>(v.size(0))));
  double size = direction.norm().item<double>();
  for (int i = 0; i < 2; ++i) {
    direction = apply(direction / size);
    size = direction.norm().item<double>();
    if (!std::isfinite(size) || size == 0.0) return size;
  }
  v.copy_(direction / size);
  return size;
}

absl::StatusOr<at::Tensor> Polish(const at::Tensor& w) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckMatrix(w, "polish"));
  return CatchTorch("polish", [&]() -> absl::StatusOr<at::Tensor> {
    c10::NoGradGuard no_grad;
    const at::Tensor exact = w.detach().to(at::kDouble);
    // Rounding the entries of an orthonormal matrix to `unit` moves the Gram
    // matrix by about unit · √n in the Frobenius norm, 2 unit · √n at most.
    const double unit = w.scalar_type() == at::kFloat ? 6e-8 : 1.2e-16;
    const double side = static_cast<double>(std::min(w.size(0), w.size(1)));
    const double allowance = w.scalar_type() == at::kFloat
                                 ? 2.0 * unit * std::sqrt(side)
                                 : 4.0 * unit * side;
    if (OrthonormalityDefect(exact) <= allowance) return w.detach();
    LIPSCHITZ_ASSIGN_OR_RETURN(const PolarResult polar, PolarFactor(exact));
    return polar.weight.to(w.scalar_type());
  });
}

at::Tensor ProjectOntoTangentSpace(const at::Tensor& gradient,
                                   const at::Tensor& w) {
  if (IsWide(w)) {
    const at::Tensor product = at::mm(gradient, w.t());
    return at::addmm(gradient, product + product.t(), w, 1, -0.5);
  }
  const at::Tensor product = at::mm(w.t(), gradient);
  return at::addmm(gradient, w, product + product.t(), 1, -0.5);
}

}  // namespace lipschitz
