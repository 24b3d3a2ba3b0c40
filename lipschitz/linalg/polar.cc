#include "lipschitz/linalg/polar.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/minimax_polynomial.h"
#include "lipschitz/linalg/power_iteration.h"
#include "lipschitz/linalg/singular_value_map.h"

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
// Eigenvalues of a Gram matrix in float64 give the singular vectors of a
// float32 matrix to its rounding while the condition number is below 1e5.
constexpr double kSmallestEigenvalueRatio = 1e-10;

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

// The standard deviation of a symmetric matrix's eigenvalues over their mean.
double RelativeSpread(const at::Tensor& symmetric) {
  const double mean = symmetric.diagonal().mean().item<double>();
  at::Tensor rest = symmetric.clone();
  rest.diagonal().sub_(mean);
  return rest.norm().item<double>() /
         (mean * std::sqrt(static_cast<double>(symmetric.size(0))));
}

// A wide X = left · diag(values) · right; undefined where nobody computed it.
struct Svd {
  at::Tensor left;    // (rows, rows)
  at::Tensor values;  // (rows), ascending
  at::Tensor right;   // (rows, columns)
};

struct Factor {
  PolarResult result;
  Svd svd;
};

// From the eigenvalues of XXᵀ, for a wide float32 X; null where X is too near
// to a rank deficient matrix for that.
std::optional<Factor> FactorBySvd(const at::Tensor& x) {
  const at::Tensor exact = x.to(at::kDouble);
  const auto [squares, vectors] = at::linalg_eigh(SmallerGram(exact));
  const double largest = squares[-1].item<double>();
  if (!(squares[0].item<double>() > kSmallestEigenvalueRatio * largest)) {
    return std::nullopt;
  }
  const at::Tensor values = squares.sqrt();
  Factor factor;
  factor.svd = {
      vectors.to(at::kFloat), values.to(at::kFloat),
      at::mm(vectors.t(), exact).div_(values.unsqueeze(1)).to(at::kFloat)};
  factor.result.weight = at::mm(factor.svd.left, factor.svd.right);
  factor.result.norm = std::sqrt(largest);
  return factor;
}

// For a wide matrix. With `for_gradient`, where the spectrum is so wide that
// the gradient will need singular vectors, they are computed at once, and used.
absl::StatusOr<Factor> Iterate(at::Tensor x, const PolarOptions& options,
                               bool for_gradient) {
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
    // The spread of squares is twice that of the values, about.
    if (result.iterations == 0 && for_gradient &&
        x.scalar_type() == at::kFloat &&
        RelativeSpread(gram) > 2 * kSmallSpread) {
      if (auto factor = FactorBySvd(x); factor.has_value()) {
        factor->result.norm *= scale;
        factor->svd.values.mul_(scale);
        return *std::move(factor);
      }
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
    x = MapSingularValues(
        close ? kBjorckOrder2 : ClosestToOne(interval.lower, interval.upper), x,
        gram);
    // Björck's order 2 leaves (5/8) δ³ and a little.
    if (defect < kSmallDefect && defect * defect * defect <= tolerance) break;
  }
  result.weight = x;
  return Factor{result, {}};
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
  if (!(RelativeSpread(h) < kSmallSpread)) return SylvesterByEigenvalues(h, c);
  // A first guess from the mean eigenvalue, exact for a multiple of I.
  at::Tensor y = c / (2 * h.diagonal().mean().item<double>());
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

// For a wide matrix with its singular values σ and vectors. With P = leftᵀ G
// and Q = P rightᵀ, the gradient in the basis of the singular vectors is (Q_ij
// − Q_ji) / (σ_i + σ_j) on the rows of `right`, and P_i / σ_i off them.
at::Tensor WideGradient(const Svd& svd, const at::Tensor& gradient) {
  const at::Tensor p = at::mm(svd.left.t(), gradient);
  const at::Tensor q = at::mm(p, svd.right.t());
  const at::Tensor sums = svd.values.unsqueeze(0) + svd.values.unsqueeze(1);
  at::Tensor inner = (q - q.t()).div_(sums);
  if (svd.right.size(0) == svd.right.size(1)) {
    return at::mm(svd.left, at::mm(inner, svd.right));
  }
  const at::Tensor column = svd.values.unsqueeze(1);
  inner.sub_(q / column);
  return at::mm(svd.left, at::addmm(p / column, inner, svd.right));
}

at::Tensor Gradient(const at::Tensor& w, const at::Tensor& u, const Svd& svd,
                    const at::Tensor& gradient) {
  if (!svd.left.defined()) return PolarFactorGradient(w, u, gradient);
  c10::NoGradGuard no_grad;
  return w.size(0) > w.size(1) ? WideGradient(svd, gradient.t()).t()
                               : WideGradient(svd, gradient);
}

// The gradient as a node of the graph whose own derivative is an error.
class FirstDerivative : public torch::autograd::Function<FirstDerivative> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext*,
                            const at::Tensor& w, const at::Tensor& u,
                            const Svd& svd, const at::Tensor& gradient) {
    return Gradient(w, u, svd, gradient);
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
                            const at::Tensor& w, const at::Tensor& u,
                            const Svd& svd) {
    at::Tensor result = u.clone();
    context->save_for_backward({w, result, svd.left, svd.values, svd.right});
    return result;
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {
        FirstDerivative::apply(saved[0], saved[1],
                               Svd{saved[2], saved[3], saved[4]}, gradients[0]),
        at::Tensor(), at::Tensor()};
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
    const bool for_gradient = w.requires_grad() && c10::GradMode::is_enabled();
    absl::StatusOr<Factor> factor = [&] {
      c10::NoGradGuard no_grad;
      return Iterate(tall ? w.detach().t().contiguous() : w.detach(), options,
                     for_gradient);
    }();
    if (!factor.ok()) {
      return WithContext(factor.status(), absl::StrCat("polar factor of the "
                                                       "matrix ",
                                                       ShapeString(w)));
    }
    PolarResult& result = factor->result;
    if (tall) result.weight = result.weight.t().contiguous();
    if (for_gradient) {
      result.weight = Polar::apply(w, result.weight, factor->svd);
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
