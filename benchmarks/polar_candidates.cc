#include "benchmarks/polar_candidates.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "lipschitz/linalg/bjorck.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/power_iteration.h"

namespace lipschitz::benchmarks {
namespace {

constexpr int kMaxIterations = 100;

double Tolerance(const at::Tensor& w) {
  return 1e-6 * std::sqrt(static_cast<double>(w.size(0)));
}

CandidateResult ByBjorck(const at::Tensor& w, int order) {
  BjorckOptions options;
  options.order = order;
  options.scaling = BjorckScaling::kPowerIteration;
  options.iterations = kMaxIterations;
  options.tolerance = Tolerance(w);
  options.report = false;
  const auto result = Bjorck(w, options);
  TORCH_CHECK(result.ok(), std::string(result.status().message()));
  TORCH_CHECK(result->converged, "not converged");
  return {result->weight, result->iterations};
}

CandidateResult ByNewton(const at::Tensor& w) {
  // Within this distance of orthonormality a scale helps no more.
  constexpr double kUnscaled = 0.1;
  at::Tensor x = w;
  double defect = 1.0;
  for (int i = 1; i <= kMaxIterations; ++i) {
    const at::Tensor inverse = at::linalg_inv(x).t();
    double scale = 1.0;
    if (defect > kUnscaled) {
      const auto product_of_norms = [](const at::Tensor& a) {
        const at::Tensor size = a.abs();
        return (size.sum(0).max() * size.sum(1).max()).item<double>();
      };
      scale = std::pow(product_of_norms(inverse) / product_of_norms(x), 0.25);
    }
    // σ − 1/σ is the defect σ² − 1 to first order, and a step turns a defect δ
    // into δ²/4.
    defect = (x * scale - inverse / scale).norm().item<double>();
    x = (x * (scale / 2)).add_(inverse, 0.5 / scale);
    if (defect * defect / 4 <= Tolerance(w)) return {x, i};
  }
  TORCH_CHECK(false, "not converged");
}

// Bounds of the singular values as the library estimates them.
struct Interval {
  double lower;
  double upper;
};

Interval SingularValues(const at::Tensor& gram) {
  const double largest = PowerIteration(gram, /*iterations=*/4).sigma;
  at::Tensor shifted = gram.neg();
  shifted.diagonal().add_(largest);
  const double smallest =
      largest - PowerIteration(shifted, /*iterations=*/4).sigma;
  const double upper = 1.05 * std::sqrt(largest);
  return {std::max(1e-3 * upper, 0.8 * std::sqrt(std::max(0.0, smallest))),
          upper};
}

CandidateResult ByHalley(const at::Tensor& w) {
  at::Tensor gram = SmallerGram(w);
  const Interval interval = SingularValues(gram);
  at::Tensor x = w / interval.upper;
  gram = gram / (interval.upper * interval.upper);
  double lower = interval.lower / interval.upper;
  for (int i = 1; i <= kMaxIterations; ++i) {
    // Nakatsukasa, Bai and Gygi (2010), equations 3.18 to 3.20.
    const double square = lower * lower;
    const double d = std::cbrt(4 * (1 - square) / (square * square));
    const double a =
        std::sqrt(1 + d) +
        std::sqrt(std::max(
            0.0, 8 - 4 * d + 8 * (2 - square) / (square * std::sqrt(1 + d)))) /
            2;
    const double b = (a - 1) * (a - 1) / 4;
    const double c = a + b - 1;
    lower = std::min(1.0, lower * (a + b * square) / (1 + c * square));
    at::Tensor shifted = gram * c;
    shifted.diagonal().add_(1);
    const at::Tensor solved =
        at::cholesky_solve(x, at::linalg_cholesky(shifted));
    gram.diagonal().sub_(1);
    const double defect = gram.norm().item<double>();
    x = (x * (b / c)).add_(solved, a - b / c);
    // The unweighted iteration, which this one becomes, turns δ into δ³/16.
    if (defect * defect * defect / 16 <= Tolerance(w)) return {x, i};
    gram = SmallerGram(x);
  }
  TORCH_CHECK(false, "not converged");
}

CandidateResult ByEigenvalues(const at::Tensor& w) {
  const at::Tensor x = w.to(at::kDouble);
  const auto [values, vectors] = at::linalg_eigh(SmallerGram(x));
  const at::Tensor root = at::mm(vectors * values.rsqrt(), vectors.t());
  return {at::mm(root, x).to(w.scalar_type()), 1};
}

CandidateResult ByMinimax(const at::Tensor& w) {
  const auto result = PolarFactor(w);
  TORCH_CHECK(result.ok(), std::string(result.status().message()));
  return {result->weight, result->iterations};
}

}  // namespace

std::vector<PolarCandidate> PolarCandidates() {
  std::vector<PolarCandidate> candidates;
  for (int order = 1; order <= 4; ++order) {
    candidates.push_back(
        {absl::StrCat("bjorck", order),
         [order](const at::Tensor& w) { return ByBjorck(w, order); }});
  }
  candidates.push_back({"newton", ByNewton});
  candidates.push_back({"halley", ByHalley});
  candidates.push_back({"eigenvalues", ByEigenvalues});
  candidates.push_back({"minimax", ByMinimax});
  return candidates;
}

at::Tensor ExactPolarFactor(const at::Tensor& w) {
  const auto [u, values, vt] =
      at::linalg_svd(w.to(at::kDouble), /*full_matrices=*/false);
  return at::mm(u, vt);
}

}  // namespace lipschitz::benchmarks
