#include "lipschitz/linalg/minimax_polynomial.h"

#include <array>
#include <cmath>
#include <utility>

namespace lipschitz {
namespace {

// Solves the system by Gaussian elimination with row exchanges; the last column
// is the right side.
template <int kSize>
std::array<double, kSize> Solve(
    std::array<std::array<double, kSize + 1>, kSize> rows) {
  for (int k = 0; k < kSize; ++k) {
    int pivot = k;
    for (int i = k + 1; i < kSize; ++i) {
      if (std::abs(rows[i][k]) > std::abs(rows[pivot][k])) pivot = i;
    }
    std::swap(rows[k], rows[pivot]);
    for (int i = k + 1; i < kSize; ++i) {
      const double factor = rows[i][k] / rows[k][k];
      for (int j = k; j <= kSize; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  std::array<double, kSize> solution = {};
  for (int i = kSize - 1; i >= 0; --i) {
    double sum = rows[i][kSize];
    for (int j = i + 1; j < kSize; ++j) sum -= rows[i][j] * solution[j];
    solution[i] = sum / rows[i][i];
  }
  return solution;
}

// p(x) of y = x / s: coefficients for x.
OddQuintic Rescaled(const OddQuintic& p, double s) {
  return {p.a / s, p.b / (s * s * s), p.c / (s * s * s * s * s)};
}

}  // namespace

OddQuintic ClosestToOne(double lower, double upper) {
  const double l = lower / upper;
  if (l > 0.8) return Rescaled(kBjorckOrder2, 0.5 * (lower + upper));

  // On [l, 1]. Start from the extrema of the Chebyshev polynomial.
  std::array<double, 2> extrema = {l + 0.25 * (1 - l), l + 0.75 * (1 - l)};
  OddQuintic p = kBjorckOrder2;
  for (int iteration = 0; iteration < 30; ++iteration) {
    // p(x_i) + (−1)^i E = 1.
    const std::array<double, 4> points = {l, extrema[0], extrema[1], 1.0};
    std::array<std::array<double, 5>, 4> rows;
    double sign = 1.0;
    for (int i = 0; i < 4; ++i) {
      const double x = points[i];
      rows[i] = {x, x * x * x, x * x * x * x * x, sign, 1.0};
      sign = -sign;
    }
    const std::array<double, 4> solution = Solve<4>(rows);
    p = {solution[0], solution[1], solution[2]};
    // p'(x) = a + 3 b x² + 5 c x⁴ = 0.
    const double root = std::sqrt(9 * p.b * p.b - 20 * p.a * p.c);
    const std::array<double, 2> next = {
        std::sqrt((-3 * p.b - root) / (10 * p.c)),
        std::sqrt((-3 * p.b + root) / (10 * p.c))};
    const double change =
        std::abs(next[0] - extrema[0]) + std::abs(next[1] - extrema[1]);
    extrema = next;
    if (change < 1e-12) break;
  }
  return Rescaled(p, upper);
}

}  // namespace lipschitz
