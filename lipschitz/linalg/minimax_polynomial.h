// The odd polynomial of degree 5 that is closest to 1 on an interval.
#pragma once

namespace lipschitz {

// p(x) = a x + b x³ + c x⁵.
struct OddQuintic {
  double a;
  double b;
  double c;

  double operator()(double x) const {
    const double square = x * x;
    return x * (a + square * (b + square * c));
  }
};

// p(1) = 1, p'(1) = p''(1) = 0: the iteration of Björck and Bowie (1971) of
// order 2.
constexpr OddQuintic kBjorckOrder2 = {15.0 / 8, -10.0 / 8, 3.0 / 8};

// The minimiser of max |p(x) − 1| over lower ≤ x ≤ upper, 0 < lower < upper,
// by Remez' exchange: the error has the same size, with alternating signs, at
// both ends and at the two extrema between. On a short interval the minimiser
// is not distinguishable from kBjorckOrder2 scaled to the middle, which is
// returned. p(x) > 0 for 0 < x ≤ upper.
OddQuintic ClosestToOne(double lower, double upper);

}  // namespace lipschitz
