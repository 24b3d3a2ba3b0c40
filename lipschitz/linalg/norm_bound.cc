#include "lipschitz/linalg/norm_bound.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/upward_norms.h"

namespace lipschitz {
namespace {

using rounding::Gamma;
using rounding::kUnit;
using rounding::SumUp;
using rounding::Up;

// ‖A‖₂ ≤ min(‖A‖_F, √(‖A‖₁ ‖A‖_∞)).
double CheapSpectralUp(const at::Tensor& a) {
  const at::Tensor magnitude = a.abs();
  const double rows = SumUp(magnitude.sum(1).max().item<double>(),
                            static_cast<double>(a.size(1)));
  const double columns = SumUp(magnitude.sum(0).max().item<double>(),
                               static_cast<double>(a.size(0)));
  return std::min(FrobeniusUp(a), Up(std::sqrt(Up(rows * columns))));
}

// ‖A‖₂ from above for any square matrix, up to `absolute_gap` or the relative
// gap of the options. With A_0 = A, B_k = A_k / 2^e_k (exact) and
// A_{k+1} = fl(B_kᵀ B_k):
//   ‖A_k‖₂ = 2^e_k ‖B_k‖₂,  ‖B_k‖₂² = ‖B_kᵀB_k‖₂ ≤ ‖A_{k+1}‖₂ + γ_n ‖B_k‖_F².
double GramIterationUp(at::Tensor a, const SpectralNormOptions& options,
                       double absolute_gap) {
  struct Squaring {
    double scale;
    double rounding;
  };
  std::vector<Squaring> squarings;
  const auto upper = [&](double bound) {
    for (auto it = squarings.rbegin(); it != squarings.rend(); ++it) {
      bound = Up(it->scale * Up(std::sqrt(Up(bound + it->rounding))));
    }
    return bound;
  };
  // From the largest column of A_k; tells when to stop, so unrounded.
  const auto lower = [&](const at::Tensor& square) {
    double bound = square.norm(2, /*dim=*/0).max().item<double>();
    for (auto it = squarings.rbegin(); it != squarings.rend(); ++it) {
      bound = it->scale * std::sqrt(std::max(0.0, bound - it->rounding));
    }
    return bound;
  };
  const double n = static_cast<double>(a.size(0));
  double frobenius = FrobeniusUp(a);
  double best = CheapSpectralUp(a);
  double previous = frobenius;
  for (int k = 0; k < options.max_squarings; ++k) {
    const double gap = std::max(absolute_gap, options.relative_gap * best);
    if (best - lower(a) <= gap) break;
    if (frobenius == 0.0 || !std::isfinite(frobenius)) break;
    const double scale = std::exp2(std::ceil(std::log2(frobenius)));
    if (scale == 0.0 || !std::isfinite(1.0 / scale)) break;
    const at::Tensor b = a / scale;
    const double norm = Up(frobenius / scale);
    // n² entries may each have lost a subnormal part in the division.
    const double rounding = Up(Up(Gamma(n) * Up(norm * norm)) + n * n * 1e-300);
    squarings.push_back({scale, rounding});
    a = at::mm(b.t(), b);
    frobenius = FrobeniusUp(a);
    best = std::min(best, upper(CheapSpectralUp(a)));
    // The Frobenius norms give the Schatten norms of A_0 with p = 2, 4, 8, ...,
    // whose logarithm is convex in 1/p: what is still to gain is at most what
    // the last squaring gained. Row sums promise no such thing: those of a
    // banded matrix stay where they are for many squarings.
    const double schatten = upper(frobenius);
    if (previous - schatten <= gap) break;
    previous = schatten;
  }
  return best;
}

}  // namespace

absl::StatusOr<double> SpectralNormUpperBound(
    const at::Tensor& w, const SpectralNormOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckMatrix(w, "spectral norm bound"));
  return CatchTorch("spectral norm bound", [&]() -> double {
    c10::NoGradGuard no_grad;
    at::Tensor matrix = w.detach().to(at::kCPU, at::kDouble);
    if (matrix.size(0) > matrix.size(1)) matrix = matrix.t();
    if (matrix.abs().max().item<double>() == 0.0) return 0.0;
    // A power of two, so that the division is exact: entries in [−1, 1]. What
    // falls below the subnormal numbers is covered by the rounding terms.
    const int exponent = ScaleExponent(matrix);
    matrix = (matrix * std::ldexp(1.0, -exponent)).contiguous();
    const double n = static_cast<double>(matrix.size(1));
    const at::Tensor gram = at::mm(matrix, matrix.t());
    const double frobenius = FrobeniusUp(matrix);
    // ‖fl(WWᵀ) − WWᵀ‖₂ ≤ γ_n ‖W‖_F².
    const double rounding =
        Up(Up(Gamma(n) * Up(frobenius * frobenius)) + n * n * 1e-300);
    // λ(G) ≤ c + ‖G − cI‖₂ for any c. When all eigenvalues are close to their
    // mean, c just below the least makes that an equation, and the squarings
    // act on a small difference.
    const double mean = gram.diagonal().mean().item<double>();
    const at::Tensor identity = at::eye(gram.size(0), gram.options());
    const double radius = CheapSpectralUp(gram - mean * identity);
    double square = 0.0;
    if (radius < 0.5 * mean) {
      const double shift = mean - radius;
      const at::Tensor rest = gram - shift * identity;
      // The subtraction rounds the diagonal only, by u · |result| each.
      const double diagonal =
          Up(Up(rest.diagonal().abs().max().item<double>()) * (2.0 * kUnit));
      const double norm =
          GramIterationUp(rest, options, options.relative_gap * shift);
      square = Up(Up(shift + norm) + diagonal);
    } else {
      square = GramIterationUp(gram, options, /*absolute_gap=*/0.0);
    }
    const double sigma = Up(std::sqrt(Up(square + rounding)));
    return Up(std::ldexp(sigma, exponent));
  });
}

absl::StatusOr<BoundTable> OperatorNormBounds(
    const at::Tensor& w, const SpectralNormOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckMatrix(w, "operator norm bounds"));
  LIPSCHITZ_ASSIGN_OR_RETURN(const double spectral,
                             SpectralNormUpperBound(w, options));
  return CatchTorch("operator norm bounds", [&]() -> BoundTable {
    c10::NoGradGuard no_grad;
    const at::Tensor magnitude =
        w.detach().to(at::kCPU, at::kDouble).abs().contiguous();
    // Exactly zero, where rounding upwards would not be.
    if (magnitude.max().item<double>() == 0.0) {
      return BoundTable().Times(0.0);
    }
    const double rows = static_cast<double>(magnitude.size(0));
    const double columns = static_cast<double>(magnitude.size(1));
    const at::Tensor squares = magnitude.square();
    const auto root = [](double square) { return Up(std::sqrt(square)); };

    const at::Tensor row_sums = magnitude.sum(1);
    const at::Tensor column_sums = magnitude.sum(0);
    const at::Tensor row_squares = squares.sum(1);
    const at::Tensor column_squares = squares.sum(0);
    const auto largest = [](const at::Tensor& sums, double terms) {
      return SumUp(sums.max().item<double>(), terms);
    };

    BoundTable table;
    // From l1: the largest column in the norm of the output.
    table.Set(Norm::kL1, Norm::kL1, largest(column_sums, rows));
    table.Set(Norm::kL1, Norm::kL2, root(largest(column_squares, rows)));
    table.Set(Norm::kL1, Norm::kLinf, magnitude.max().item<double>());
    // To linf: the largest row in the dual of the norm of the input.
    table.Set(Norm::kL2, Norm::kLinf, root(largest(row_squares, columns)));
    table.Set(Norm::kLinf, Norm::kLinf, largest(row_sums, columns));
    table.Set(Norm::kL2, Norm::kL2, spectral);
    // The rest through ‖·‖₁ ≤ √n ‖·‖₂ and ‖·‖₂ ≤ √n ‖·‖_∞, or through the rows
    // one by one.
    // The tiny constant covers squares that underflowed.
    const double row_lengths =
        SumUp((row_squares + columns * 5e-324).sqrt().sum().item<double>(),
              rows + columns);
    table.Set(Norm::kL2, Norm::kL1,
              std::min(row_lengths, Up(Up(std::sqrt(rows)) * spectral)));
    const double row_sum_squares =
        SumUp(row_sums.square().sum().item<double>(), rows + 2.0 * columns);
    table.Set(
        Norm::kLinf, Norm::kL2,
        std::min(root(row_sum_squares), Up(Up(std::sqrt(columns)) * spectral)));
    table.Set(Norm::kLinf, Norm::kL1,
              SumUp(magnitude.sum().item<double>(),
                    static_cast<double>(magnitude.numel())));
    return table;
  });
}

}  // namespace lipschitz
