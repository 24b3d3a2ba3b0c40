#include "tools/decimal.h"

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace lipschitz::tools {
namespace {

double Read(const std::string& text) {
  return std::strtod(text.c_str(), nullptr);
}

// Bounds stay bounds when a person reads them, and lose nothing that nine
// digits can hold.
void ExpectBounds(double value) {
  const double slack = 1e-8 * std::abs(value);
  EXPECT_GE(Read(NineDigitsUp(value)), value);
  EXPECT_LE(Read(NineDigitsUp(value)), value + slack);
  EXPECT_LE(Read(NineDigitsDown(value)), value);
  EXPECT_GE(Read(NineDigitsDown(value)), value - slack);
  EXPECT_EQ(Read(Exact(value)), value);
}

TEST(DecimalTest, BoundsAreRoundedAway) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-12.0, 12.0);
  for (int i = 0; i < 20000; ++i) {
    const double value = std::pow(10.0, exponent(random));
    ExpectBounds(value);
    ExpectBounds(-value);
  }
}

// Where the last of the nine digits is worth most and least, and at what nine
// digits hold exactly.
TEST(DecimalTest, BoundsNextToPowersOfTen) {
  for (const double power : {1e-5, 1.0, 10.0, 1e6}) {
    for (int i = -2000; i <= 2000; ++i) {
      ExpectBounds(power * (1.0 + 1e-11 * i));
      ExpectBounds(power * (1.0 + 5e-9 + 1e-12 * i));
      ExpectBounds(-power * (1.0 + 1e-11 * i));
    }
    double next = power;
    double last = power;
    for (int i = 0; i < 200; ++i) {
      ExpectBounds(next = std::nextafter(next, 2 * power));
      ExpectBounds(last = std::nextafter(last, 0.0));
    }
  }
  EXPECT_EQ(NineDigitsUp(2.0 / 3.0), "0.666666667");
  EXPECT_EQ(NineDigitsDown(2.0 / 3.0), "0.666666666");
  EXPECT_EQ(NineDigitsUp(0.0), "0");
  EXPECT_EQ(NineDigitsDown(0.0), "0");
  EXPECT_EQ(NineDigitsUp(0.5), "0.5");
  EXPECT_EQ(NineDigitsDown(0.5), "0.5");
}

TEST(DecimalTest, ExactIsShort) {
  EXPECT_EQ(Exact(0.1), "0.1");
  EXPECT_EQ(Exact(2.0 / 255.0), "0.00784313725490196");
}

}  // namespace
}  // namespace lipschitz::tools
