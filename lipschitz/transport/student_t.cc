#include "lipschitz/transport/student_t.h"

#include <cmath>
#include <initializer_list>

namespace lipschitz {
namespace {

// The continued fraction of the incomplete beta function (NIST Digital Library
// of Mathematical Functions, 8.17.22), by Lentz's method.
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kTerms = 10000;
  const auto away_from_zero = [](double value) {
    return std::abs(value) < kTiny ? kTiny : value;
  };
  double c = 1.0;
  double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
  double fraction = d;
  for (int m = 1; m < kTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd =
        -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double factor = 1.0;
    for (const double term : {even, odd}) {
      d = 1.0 / away_from_zero(1.0 + term * d);
      c = away_from_zero(1.0 + term / c);
      factor = c * d;
      fraction *= factor;
    }
    if (std::abs(factor - 1.0) < 1e-15) break;
  }
  return fraction;
}

// I_x(a, b), the regularised incomplete beta function, 0 < x < 1.
double IncompleteBeta(double a, double b, double x) {
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
               a * std::log(x) + b * std::log1p(-x));
  // The fraction converges quickly on this side.
  if (x < (a + 1.0) / (a + b + 2.0)) return front * BetaFraction(a, b, x) / a;
  return 1.0 - front * BetaFraction(b, a, 1.0 - x) / b;
}

// From here on the normal distribution is closer than the rounding below.
constexpr double kNormal = 1e7;

// P(|T| > t).
double TwoSidedTail(double t, double degrees) {
  if (degrees > kNormal) return std::erfc(t / std::sqrt(2.0));
  return IncompleteBeta(degrees / 2.0, 0.5, degrees / (degrees + t * t));
}

// P(|T| ≤ t).
double Centre(double t, double degrees) {
  if (degrees > kNormal) return std::erf(t / std::sqrt(2.0));
  return IncompleteBeta(0.5, degrees / 2.0, t * t / (degrees + t * t));
}

}  // namespace

double StudentTQuantile(double confidence, double degrees_of_freedom) {
  // By what is small, which has all its digits.
  const auto is_below = [&](double t) {
    return confidence < 0.5
               ? Centre(t, degrees_of_freedom) < confidence
               : TwoSidedTail(t, degrees_of_freedom) > 1.0 - confidence;
  };
  double low = 0.0;
  double high = 1.0;
  while (is_below(high)) {
    low = high;
    high *= 2.0;
  }
  for (int i = 0; i < 200 && high - low > 1e-12 * high; ++i) {
    const double middle = low + (high - low) / 2.0;
    (is_below(middle) ? low : high) = middle;
  }
  return high;
}

}  // namespace lipschitz
