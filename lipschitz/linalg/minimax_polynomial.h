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

// The minimiser of max |p(x) − 1| over lower ≤ x ≤ upper, 0 < lower < upper,
// by Remez' exchange: the error has the same size, with alternating signs, at
// both ends and at the two extrema between. On a short interval the minimiser
// is not distinguishable from the Taylor polynomial at the middle, which is
// returned. p(x) > 0 for 0 < x ≤ upper.
OddQuintic ClosestToOne(double lower, double upper);

}  // namespace lipschitz
