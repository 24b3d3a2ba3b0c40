// Arithmetic in float64 whose result is not below (or not above) the exact one.
// IEEE 754 with round to nearest.
#pragma once

#include <cmath>
#include <limits>

namespace lipschitz::rounding {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Unit roundoffs: one operation is off by this much at most, relatively.
inline constexpr double kUnit = 0x1p-53;
inline constexpr double kFloat32Unit = 0x1p-24;

// The next double above a correctly rounded result is above the exact one.
inline double Up(double value) { return std::nextafter(value, kInfinity); }

// 0 · ∞ is a map that is constant followed or preceded by anything: 0.
inline double ProductUp(double a, double b) {
  if (a == 0.0 || b == 0.0) return 0.0;
  // A product by one is exact.
  if (a == 1.0) return b;
  if (b == 1.0) return a;
  return Up(a * b);
}

// An upper bound on γ_n = n u / (1 − n u), the relative error of n operations
// one after the other (N. J. Higham, "Accuracy and Stability of Numerical
// Algorithms", 2nd edition, lemma 3.1); infinite where n u ≥ 1.
inline double Gamma(double n, double unit = kUnit) {
  const double relative = Up(n * unit);
  return relative < 1.0 ? Up(relative / (1.0 - relative)) : kInfinity;
}

// A computed sum of n non-negative terms (each with up to two roundings of its
// own) made an upper bound on the exact one. The tiny constant covers terms
// that underflowed.
inline double SumUp(double computed, double n) {
  return Up(Up(computed * Up(1.0 + Gamma(n + 3))) + n * 5e-324);
}

}  // namespace lipschitz::rounding
