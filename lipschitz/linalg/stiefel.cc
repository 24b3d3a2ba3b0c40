#include "lipschitz/linalg/stiefel.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/gram_vector_kernel.h"
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

template <typename T>
double Length(const std::vector<T>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

// Power iteration on Gram − I.
template <typename T>
class DefectEstimate {
 public:
  // From `start`, as long as the smaller side of `w`, and a fixed vector: a
  // drift in a new direction may be orthogonal to the old one, not to a vector
  // without structure.
  DefectEstimate(const at::Tensor& w, const T* start)
      : w_(w),
        direction_(static_cast<size_t>(std::min(w.size(0), w.size(1)))),
        scratch_(static_cast<size_t>(std::max(w.size(0), w.size(1)))),
        product_(direction_.size()) {
    const double scale =
        std::sqrt(2.0 / static_cast<double>(direction_.size()));
    for (size_t i = 0; i < direction_.size(); ++i) {
      direction_[i] =
          start[i] +
          static_cast<T>(scale * std::cos(static_cast<double>(i + 1)));
    }
  }

  // The factor by which the last of some steps lengthened the direction; not
  // finite, or 0, as soon as one does so.
  double Improve(int steps) {
    double size = Length(direction_);
    for (int i = 0; i < steps && std::isfinite(size) && size > 0.0; ++i) {
      Scale(1.0 / size);
      Multiply();
      direction_.swap(product_);
      size = Length(direction_);
    }
    return size;
  }

  // Of unit length.
  at::Tensor Direction() {
    Scale(1.0 / Length(direction_));
    return at::tensor(direction_, w_.options().device(at::kCPU));
  }

 private:
  void Scale(double factor) {
    for (T& entry : direction_) entry = static_cast<T>(entry * factor);
  }

  // product = (Gram − I) direction.
  void Multiply() {
    if (w_.is_cpu()) {
      GetGramLessIdentityTimes<T>()(
          w_.template data_ptr<T>(), static_cast<size_t>(w_.size(0)),
          static_cast<size_t>(w_.size(1)), direction_.data(), scratch_.data(),
          product_.data());
      return;
    }
    const at::Tensor x = at::tensor(direction_, w_.options());
    const at::Tensor product = (IsWide(w_) ? at::mv(w_, at::mv(w_.t(), x))
                                           : at::mv(w_.t(), at::mv(w_, x))) -
                               x;
    const at::Tensor entries = product.to(at::kCPU);
    std::copy_n(entries.template data_ptr<T>(), product_.size(),
                product_.begin());
  }

  at::Tensor w_;
  std::vector<T> direction_;
  std::vector<T> scratch_;
  std::vector<T> product_;
};

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
  const at::Tensor weight = w.detach().contiguous();
  TORCH_CHECK(v.dim() == 1 && v.size(0) == std::min(w.size(0), w.size(1)),
              "the direction of a drift must be as long as the smaller side of "
              "the weight ",
              w.sizes(), ", got the shape ", v.sizes());
  const at::Tensor start = v.to(at::kCPU, weight.scalar_type()).contiguous();
  double size = 0.0;
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "defect", [&] {
    DefectEstimate<scalar_t> estimate(weight, start.data_ptr<scalar_t>());
    size = estimate.Improve(2);
    if (!std::isfinite(size) || size == 0.0) return;
    v.copy_(estimate.Direction());
  });
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
