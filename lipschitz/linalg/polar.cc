#include "lipschitz/linalg/polar.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/minimax_polynomial.h"
#include "lipschitz/linalg/power_iteration.h"

namespace lipschitz {
namespace {

// While the Frobenius norm of Gram − I is below it, it bounds the singular
// values well enough.
constexpr double kSmallDefect = 0.3;
constexpr int kPowerIterations = 4;
// Power iteration finds extreme singular values from inside, so the interval
// between them, with the ratio r of its ends, is widened: the upper end times
// 1 + 0.05 (1 − r), the ratio r^1.25. An interval that is still a little too
// short costs part of an iteration; values above it must not get far, because
// the polynomial grows there. The widening vanishes with 1 − r: the best
// polynomial of a fixed interval would leave the same error in every iteration.
constexpr double kUpperAllowance = 0.05;
constexpr double kLowerExponent = 1.25;
constexpr double kSmallestRatio = 1e-3;
// Inside it, Björck's order 2 is as good as the best polynomial.
constexpr double kLowerEnd = 0.5;
constexpr double kUpperEnd = 1.3;
// A spread of H's eigenvalues, relative to their mean, up to which conjugate
// gradients take fewer products than the eigenvalues are worth, and the
// iterations after which that was a mistake.
constexpr double kSmallSpread = 0.2;
constexpr int kMaxConjugateGradients = 14;

struct Interval {
  double lower;
  double upper;
};

// Contains the singular values, about, of a matrix with this Gram matrix.
Interval SingularValueInterval(const at::Tensor& gram, double defect) {
  if (defect < kSmallDefect) {
    return {std::sqrt(1 - defect), std::sqrt(1 + defect)};
  }
  const double largest = PowerIteration(gram, kPowerIterations).sigma;
  at::Tensor shifted = gram.neg();
  shifted.diagonal().add_(largest);
  const double smallest =
      std::max(0.0, largest - PowerIteration(shifted, kPowerIterations).sigma);
  const double ratio = std::sqrt(smallest / largest);
  const double upper =
      std::sqrt(largest) * (1.0 + kUpperAllowance * (1.0 - ratio));
  return {upper * std::max(kSmallestRatio, std::pow(ratio, kLowerExponent)),
          upper};
}

// p of the singular values of a wide X with this Gram matrix.
at::Tensor Apply(const OddQuintic& p, const at::Tensor& x,
                 const at::Tensor& gram) {
  at::Tensor factor = SymmetricSquare(gram).mul_(p.c).add_(gram, p.b);
  factor.diagonal().add_(p.a);
  return at::mm(factor, x);
}

// For a wide matrix.
absl::StatusOr<PolarResult> Iterate(at::Tensor x, const PolarOptions& options) {
  const double side = static_cast<double>(x.size(0));
  const double tolerance =
      (options.tolerance > 0.0
           ? options.tolerance
           : (x.scalar_type() == at::kFloat ? 1e-6 : 1e-14)) *
      std::sqrt(side);
  PolarResult result;
  // Entries in [−1, 1]: squares of tiny and huge ones are not representable.
  // An estimate of the norm by a mean keeps the first Gram matrix near I when
  // W is near a multiple of an orthonormal matrix.
  const double largest = x.abs().max().item<double>();
  if (largest == 0.0) {
    return absl::InvalidArgumentError("it is zero");
  }
  double scale = largest;
  x = x / largest;
  const double mean = x.norm().item<double>() / std::sqrt(side);
  scale *= mean;
  x = x.div_(mean);
  while (true) {
    at::Tensor gram = SmallerGram(x);
    at::Tensor difference = gram.clone();
    difference.diagonal().sub_(1);
    const double defect = difference.norm().item<double>();
    if (!std::isfinite(defect)) {
      return absl::InternalError("the iteration diverged");
    }
    const Interval interval = SingularValueInterval(gram, defect);
    if (result.iterations == 0) result.norm = scale * interval.upper;
    if (defect <= tolerance) break;
    if (result.iterations == options.max_iterations) {
      return absl::InvalidArgumentError(
          absl::StrCat("after ", result.iterations,
                       " iterations the distance from orthonormality is still ",
                       defect, ": it is rank deficient, or nearly so"));
    }
    ++result.iterations;
    // With defect δ, W − ½ (Gram − I) W has 3/4 δ² + 1/4 δ³, at half the price.
    if (defect * defect * (0.75 + 0.25 * defect) <= tolerance) {
      x = at::addmm(x, difference, x, /*beta=*/1, /*alpha=*/-0.5);
      break;
    }
    // Björck's order 2 brings every singular value in (0, 1.52) closer to 1,
    // however well its interval is known. The best polynomial of a short
    // interval does not: missing an end of it, it can repeat itself for ever.
    const bool close = interval.lower > kLowerEnd && interval.upper < kUpperEnd;
    x = Apply(
        close ? kBjorckOrder2 : ClosestToOne(interval.lower, interval.upper), x,
        gram);
    // Björck's order 2 leaves (5/8) δ³ and a little.
    if (defect < kSmallDefect && defect * defect * defect <= tolerance) break;
  }
  result.weight = x;
  return result;
}

// Y with H Y + Y H = C by the eigenvalues of H, for a skew-symmetric C.
at::Tensor SylvesterByEigenvalues(const at::Tensor& h, const at::Tensor& c) {
  const auto [values, vectors] = at::linalg_eigh(h);
  const at::Tensor sums = values.unsqueeze(0) + values.unsqueeze(1);
  const at::Tensor inner = at::mm(at::mm(vectors.t(), c), vectors) / sums;
  return at::mm(at::mm(vectors, inner), vectors.t());
}

// The same by conjugate gradients: for a skew Y the product Y H is −(H Y)ᵀ, so
// that the operator, positive definite on skew matrices, takes one product.
// The condition number is that of H.
at::Tensor Sylvester(const at::Tensor& h, const at::Tensor& c) {
  const double target =
      (c.scalar_type() == at::kFloat ? 1e-6 : 1e-13) * c.norm().item<double>();
  if (target == 0.0) return at::zeros_like(c);
  // A first guess from the mean eigenvalue, exact for a multiple of I.
  const double mean = h.diagonal().mean().item<double>();
  at::Tensor rest = h.clone();
  rest.diagonal().sub_(mean);
  const double spread = rest.norm().item<double>() /
                        (mean * std::sqrt(static_cast<double>(h.size(0))));
  if (!(spread < kSmallSpread)) return SylvesterByEigenvalues(h, c);
  at::Tensor y = c / (2 * mean);
  const auto apply = [&h](const at::Tensor& skew) {
    const at::Tensor product = at::mm(h, skew);
    return product - product.t();
  };
  at::Tensor residual = c - apply(y);
  at::Tensor direction = residual.clone();
  double square = residual.square().sum().item<double>();
  for (int i = 0; i < kMaxConjugateGradients; ++i) {
    if (std::sqrt(square) <= target) return y;
    const at::Tensor image = apply(direction);
    const double step = square / direction.mul(image).sum().item<double>();
    y.add_(direction, step);
    residual.sub_(image, step);
    const double next = residual.square().sum().item<double>();
    direction.mul_(next / square).add_(residual);
    square = next;
  }
  if (std::sqrt(square) <= target) return y;
  return SylvesterByEigenvalues(h, c);
}

// For a tall matrix.
at::Tensor TallGradient(const at::Tensor& w, const at::Tensor& u,
                        const at::Tensor& gradient) {
  const at::Tensor product = at::mm(u.t(), w);
  const at::Tensor h = (product + product.t()).mul_(0.5);
  const at::Tensor inner = at::mm(u.t(), gradient);
  const at::Tensor y = Sylvester(h, inner - inner.t());
  if (w.size(0) == w.size(1)) return at::mm(u, y);
  const at::Tensor normal = at::addmm(gradient, u, inner, 1, -1);
  const at::Tensor factor = at::linalg_cholesky(h);
  return at::addmm(at::cholesky_solve(normal.t(), factor).t(), u, y);
}

// The gradient as a node of the graph whose own derivative is an error.
class FirstDerivative : public torch::autograd::Function<FirstDerivative> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*,
                            const at::Tensor& w, const at::Tensor& u,
                            const at::Tensor& gradient) {
    return PolarFactorGradient(w, u, gradient);
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext*, torch::autograd::variable_list) {
    TORCH_CHECK(false,
                "polar factor: the second derivative with respect to the "
                "matrix is not available; the constraint bjorck has it");
  }
};

class Polar : public torch::autograd::Function<Polar> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& w, const at::Tensor& u) {
    at::Tensor result = u.clone();
    context->save_for_backward({w, result});
    return result;
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {FirstDerivative::apply(saved[0], saved[1], gradients[0]),
            at::Tensor()};
  }
};

}  // namespace

absl::Status PolarOptions::Validate() const {
  if (!(tolerance >= 0.0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "polar factor: the tolerance must not be negative, got ", tolerance));
  }
  if (max_iterations < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "polar factor: at least 1 iteration is needed, got ", max_iterations));
  }
  return absl::OkStatus();
}

absl::StatusOr<PolarResult> PolarFactor(const at::Tensor& w,
                                        const PolarOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  LIPSCHITZ_RETURN_IF_ERROR(CheckMatrix(w, "polar factor"));
  return CatchTorch("polar factor", [&]() -> absl::StatusOr<PolarResult> {
    const bool tall = w.size(0) > w.size(1);
    absl::StatusOr<PolarResult> result = [&] {
      c10::NoGradGuard no_grad;
      return Iterate(tall ? w.detach().t().contiguous() : w.detach(), options);
    }();
    if (!result.ok()) {
      return WithContext(result.status(), absl::StrCat("polar factor of the "
                                                       "matrix ",
                                                       ShapeString(w)));
    }
    if (tall) result->weight = result->weight.t().contiguous();
    if (w.requires_grad() && c10::GradMode::is_enabled()) {
      result->weight = Polar::apply(w, result->weight);
    }
    return result;
  });
}

at::Tensor PolarFactorGradient(const at::Tensor& w, const at::Tensor& u,
                               const at::Tensor& gradient) {
  c10::NoGradGuard no_grad;
  if (w.size(0) >= w.size(1)) return TallGradient(w, u, gradient);
  return TallGradient(w.t(), u.t(), gradient.t()).t();
}

}  // namespace lipschitz
