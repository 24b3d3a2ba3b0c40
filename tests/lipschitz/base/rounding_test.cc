#include "lipschitz/base/rounding.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace lipschitz::rounding {
namespace {

TEST(RoundingTest, UpIsTheNextNumber) {
  EXPECT_GT(Up(1.0), 1.0);
  EXPECT_EQ(Up(1.0) - 1.0, std::numeric_limits<double>::epsilon());
  EXPECT_GT(Up(0.0), 0.0);
  EXPECT_EQ(Up(kInfinity), kInfinity);
}

TEST(RoundingTest, ProductsAreNotBelowTheExactOnes) {
  for (double a : {0.1, 1.0 / 3.0, 1e-300, 7.7}) {
    for (double b : {0.3, 1e-20, 1.0, 123.456}) {
      EXPECT_GE(static_cast<long double>(ProductUp(a, b)),
                static_cast<long double>(a) * b);
    }
  }
  EXPECT_EQ(ProductUp(0.0, kInfinity), 0.0);
  EXPECT_EQ(ProductUp(1.0, 0.1), 0.1);
}

TEST(RoundingTest, GammaIsTheBoundOnRepeatedRounding) {
  EXPECT_GE(static_cast<long double>(Gamma(1000)),
            1000.0L * kUnit / (1.0L - 1000.0L * kUnit));
  EXPECT_NEAR(Gamma(1000) / (1000 * kUnit), 1.0, 1e-12);
  EXPECT_NEAR(Gamma(1000, kFloat32Unit) / (1000 * kFloat32Unit), 1.0, 1e-4);
  // Beyond that the lemma says nothing.
  EXPECT_EQ(Gamma(0x1p24, kFloat32Unit), kInfinity);
  EXPECT_EQ(Gamma(0x1p25, kFloat32Unit), kInfinity);
}

TEST(RoundingTest, SumsCoverWhatTheAdditionsLost) {
  // Sixteen times half a unit in the last place of 1, lost one by one.
  double computed = 1.0;
  for (int i = 0; i < 16; ++i) computed += kUnit;
  EXPECT_EQ(computed, 1.0);
  EXPECT_GE(static_cast<long double>(SumUp(computed, 17)), 1.0L + 16 * kUnit);
}

}  // namespace
}  // namespace lipschitz::rounding
