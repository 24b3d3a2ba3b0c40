#include "lipschitz/linalg/minimax_polynomial.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

// Of lower / upper, down to what no matrix in float32 has.
const std::vector<double> kRatios = {1e-6, 1e-5, 1e-4, 1e-3, 3e-3, 0.01, 0.03,
                                     0.1,  0.2,  0.3,  0.5,  0.7,  0.79, 0.8};
// Where the Taylor polynomial is taken.
const std::vector<double> kShortRatios = {0.81, 0.9, 0.99, 0.9999, 1 - 1e-9};

// Zeros of p' = a + 3 b x² + 5 c x⁴ in the interval, ascending.
std::vector<double> Extrema(const OddQuintic& p, double lower, double upper) {
  const double root = std::sqrt(9 * p.b * p.b - 20 * p.a * p.c);
  std::vector<double> extrema;
  for (const double square :
       {(-3 * p.b - root) / (10 * p.c), (-3 * p.b + root) / (10 * p.c)}) {
    const double x = std::sqrt(square);
    if (x > lower && x < upper) extrema.push_back(x);
  }
  std::sort(extrema.begin(), extrema.end());
  return extrema;
}

// max |p − 1| on the interval, from samples that are dense at both ends.
double LargestError(const OddQuintic& p, double lower, double upper) {
  constexpr int kSamples = 2000;
  double largest = 0.0;
  for (int i = 0; i <= kSamples; ++i) {
    const double t = static_cast<double>(i) / kSamples;
    const double even = lower + t * (upper - lower);
    const double geometric = lower * std::pow(upper / lower, t);
    largest = std::max(largest, std::abs(p(even) - 1));
    largest = std::max(largest, std::abs(p(geometric) - 1));
  }
  return largest;
}

TEST(OddQuintic, IsItsFormula) {
  const OddQuintic p = {2.0, -3.0, 0.5};
  EXPECT_DOUBLE_EQ(p(2.0), 4.0 - 24.0 + 16.0);
  EXPECT_DOUBLE_EQ(p(-2.0), 4.0);
  EXPECT_EQ(p(0.0), 0.0);
}

// By Chebyshev's alternation theorem this alone makes it the minimiser: three
// coefficients, four points.
TEST(ClosestToOne, ErrorHasOneSizeAndAlternatesAtFourPoints) {
  for (const double lower : kRatios) {
    const OddQuintic p = ClosestToOne(lower, 1.0);
    const std::vector<double> extrema = Extrema(p, lower, 1.0);
    ASSERT_EQ(extrema.size(), 2u) << lower;
    const std::array<double, 4> points = {lower, extrema[0], extrema[1], 1.0};
    const double error = 1 - p(lower);
    EXPECT_GT(error, 0.0) << lower;
    EXPECT_LT(error, 1.0) << lower;
    double sign = 1.0;
    for (const double x : points) {
      EXPECT_NEAR(sign * (1 - p(x)), error, 1e-11) << lower << " at " << x;
      sign = -sign;
    }
    EXPECT_LE(LargestError(p, lower, 1.0), error + 1e-11) << lower;
  }
}

TEST(ClosestToOne, NoOtherCoefficientsAreBetter) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  for (const double lower : kRatios) {
    const OddQuintic p = ClosestToOne(lower, 1.0);
    const double error = LargestError(p, lower, 1.0);
    for (int i = 0; i < 200; ++i) {
      const double size = std::pow(10.0, -1 - i % 6);
      const OddQuintic other = {p.a * (1 + size * normal(random)),
                                p.b * (1 + size * normal(random)),
                                p.c * (1 + size * normal(random))};
      // The samples miss the extrema by a little.
      EXPECT_GE(LargestError(other, lower, 1.0), error - 1e-6)
          << lower << ", perturbed by " << size;
    }
    // The test tells them apart: a change of 1 % is worse by far more.
    EXPECT_GT(LargestError({1.01 * p.a, p.b, p.c}, lower, 1.0), error + 1e-4);
  }
}

// The first of the coefficients that Amsel et al. (2025) print, which are for
// this interval before they divide by a safety factor.
TEST(ClosestToOne, AgreesWithThePolarExpress) {
  const OddQuintic p = ClosestToOne(0.02407327424182761, 1.0);
  EXPECT_NEAR(p.b / p.a, -23.595886519098837 / 8.28721201814563, 1e-9);
  EXPECT_NEAR(p.c / p.a, 17.300387312530933 / 8.28721201814563, 1e-9);
}

TEST(ClosestToOne, IsPositiveUpToTheUpperEnd) {
  std::vector<double> ratios = kRatios;
  ratios.insert(ratios.end(), kShortRatios.begin(), kShortRatios.end());
  for (const double lower : ratios) {
    for (const double upper : {1.0, 30.0}) {
      const OddQuintic p = ClosestToOne(lower * upper, upper);
      for (int i = 1; i <= 5000; ++i) {
        ASSERT_GT(p(upper * i / 5000), 0.0) << lower << " at " << i / 5000.0;
      }
      for (double x = 1e-3; x > 1e-300; x /= 10) {
        ASSERT_GT(p(upper * x), 0.0) << lower << " at " << x;
      }
    }
  }
}

// What a singular value below the interval gains, relative to the largest one.
TEST(ClosestToOne, MultipliesSmallValuesByTwoToFour) {
  for (const double lower : kRatios) {
    const OddQuintic p = ClosestToOne(lower, 1.0);
    const double gain = p.a / (1 + (1 - p(lower)));
    EXPECT_GT(gain, lower < 0.1 ? 3.0 : 1.8) << lower;
    EXPECT_LT(gain, 4.3) << lower;
  }
}

TEST(ClosestToOne, ScalesWithTheInterval) {
  std::vector<double> ratios = kRatios;
  ratios.insert(ratios.end(), kShortRatios.begin(), kShortRatios.end());
  for (const double lower : ratios) {
    const OddQuintic p = ClosestToOne(lower, 1.0);
    for (const double scale : {1e-10, 1e-3, 0.7, 5.0, 1e10}) {
      const OddQuintic scaled = ClosestToOne(scale * lower, scale);
      for (int i = 0; i <= 50; ++i) {
        const double x = lower + (1 - lower) * i / 50.0;
        EXPECT_NEAR(scaled(scale * x), p(x), 1e-10) << lower << " " << scale;
      }
    }
  }
}

TEST(ClosestToOne, OfAShortIntervalIsTheTaylorPolynomialAtItsMiddle) {
  for (const double lower : kShortRatios) {
    for (const double upper : {0.2, 1.0, 40.0}) {
      const OddQuintic p = ClosestToOne(lower * upper, upper);
      const double middle = 0.5 * (lower + 1) * upper;
      // p = 1, p' = p'' = 0.
      EXPECT_NEAR(p(middle), 1.0, 1e-14);
      EXPECT_NEAR(p.a * middle, 15.0 / 8, 1e-13);
      EXPECT_NEAR(p.b * std::pow(middle, 3), -10.0 / 8, 1e-13);
      EXPECT_NEAR(p.c * std::pow(middle, 5), 3.0 / 8, 1e-13);
      // 5/2 d³ and more for the relative half width d.
      const double half = (1 - lower) / (1 + lower);
      EXPECT_LE(LargestError(p, lower * upper, upper),
                2.5 * std::pow(half, 3) * (1 + 2 * half) + 1e-15)
          << lower;
    }
  }
}

TEST(ClosestToOne, TendsToTheTaylorPolynomial) {
  // At the change from one to the other, the error of the Taylor polynomial is
  // that of x³, four times that of the Chebyshev polynomial.
  const double best = LargestError(ClosestToOne(0.8, 1.0), 0.8, 1.0);
  const double taylor =
      LargestError(ClosestToOne(0.8 + 1e-9, 1.0), 0.8 + 1e-9, 1.0);
  EXPECT_GT(taylor, best);
  EXPECT_LT(taylor, 5 * best);
  const OddQuintic p = ClosestToOne(0.8, 1.0);
  EXPECT_NEAR(p.a * 0.9, 15.0 / 8, 0.02);
  EXPECT_NEAR(p.b * std::pow(0.9, 3), -10.0 / 8, 0.02);
  EXPECT_NEAR(p.c * std::pow(0.9, 5), 3.0 / 8, 0.02);
}

// A wider interval cannot have a smaller error.
TEST(ClosestToOne, ErrorGrowsWithTheInterval) {
  double previous = 1.0;
  for (const double lower : kRatios) {
    const double error = LargestError(ClosestToOne(lower, 1.0), lower, 1.0);
    EXPECT_LT(error, previous) << lower;
    previous = error;
  }
}

// One after the other, each for the interval that the last one maps to.
TEST(ClosestToOne, ComposedTheIntervalShrinksToOne) {
  for (const double first : kRatios) {
    double lower = first;
    double upper = 1.0;
    std::vector<double> values;
    for (int i = 0; i <= 100; ++i) {
      values.push_back(lower * std::pow(upper / lower, i / 100.0));
    }
    int iterations = 0;
    while (upper - lower > 1e-12 && iterations < 30) {
      const OddQuintic p = ClosestToOne(lower, upper);
      for (double& x : values) x = p(x);
      const double error = std::max(LargestError(p, lower, upper), 1e-16);
      ASSERT_LT((1 + error) / (1 - error), upper / lower) << first;
      lower = 1 - error;
      upper = 1 + error;
      ++iterations;
      for (const double x : values) {
        ASSERT_GE(x, lower - 1e-6) << first << " after " << iterations;
        ASSERT_LE(x, upper + 1e-6) << first << " after " << iterations;
      }
    }
    // Up to 4 per iteration while it is small, cubes at the end.
    EXPECT_LE(iterations, 4 + std::log(1 / first) / std::log(3.5)) << first;
    for (const double x : values) EXPECT_NEAR(x, 1.0, 1e-11) << first;
  }
}

}  // namespace
}  // namespace lipschitz
