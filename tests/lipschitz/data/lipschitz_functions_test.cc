#include "lipschitz/data/lipschitz_functions.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;

at::Tensor Vector(const std::vector<double>& values) {
  return at::tensor(at::ArrayRef<double>(values));
}

at::Tensor Length(const at::Tensor& x, Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return x.abs().sum(1);
    case Norm::kL2:
      return x.square().sum(1).sqrt();
    case Norm::kLinf:
      break;
  }
  return x.abs().amax(1);
}

TEST(PiecewiseLinearTest, FollowsItsSlopesAndIsConstantBeyondItsEnds) {
  const PiecewiseLinear function{{-1.0, 0.0, 2.0}, {0.5, -1.0}, 3.0};
  ASSERT_TRUE(function.Validate().ok());
  EXPECT_EQ(function.LipschitzConstant(), 1.0);
  const at::Tensor x = Vector({-9.0, -1.0, -0.5, 0.0, 1.0, 2.0, 7.0});
  EXPECT_TRUE(TensorsNear(function.Evaluate(x),
                          Vector({3.0, 3.0, 3.25, 3.5, 2.5, 1.5, 1.5}), 1e-14));
  // Entry by entry, in the type of x.
  const at::Tensor y = function.Evaluate(x.to(at::kFloat).unsqueeze(1));
  EXPECT_EQ(y.sizes(), (std::vector<int64_t>{7, 1}));
  EXPECT_EQ(y.scalar_type(), at::kFloat);
}

TEST(PiecewiseLinearTest, TriangleWaveTurnsAtItsKnotsAroundZero) {
  const PiecewiseLinear wave = TriangleWave(-2.0, 2.0, 4);
  ASSERT_TRUE(wave.Validate().ok());
  const at::Tensor x = Vector({-2.0, -1.5, -1.0, 0.0, 0.5, 1.0, 2.0});
  EXPECT_TRUE(TensorsNear(
      wave.Evaluate(x), Vector({-0.5, 0.0, 0.5, -0.5, 0.0, 0.5, -0.5}), 1e-14));
  for (const int64_t pieces : {1, 2, 7, 16}) {
    const PiecewiseLinear other = TriangleWave(-1.0, 3.0, pieces);
    ASSERT_TRUE(other.Validate().ok());
    EXPECT_EQ(other.slopes.size(), static_cast<size_t>(pieces));
    EXPECT_EQ(other.knots.back(), 3.0);
    const at::Tensor y =
        other.Evaluate(at::linspace(-1.0, 3.0, 4 * 7 * 16 + 1, at::kDouble));
    EXPECT_NEAR(y.max().item<double>(), 2.0 / static_cast<double>(pieces),
                1e-12);
    EXPECT_NEAR(y.min().item<double>(), -2.0 / static_cast<double>(pieces),
                1e-12);
  }
}

TEST(PiecewiseLinearTest, RandomOnesAre1LipschitzAndUseTheirSlopes) {
  const RandomSource random(1);
  const at::Tensor x = at::linspace(-2.5, 2.5, 2001, at::kDouble);
  double steepest = 0.0;
  for (int i = 0; i < 50; ++i) {
    const PiecewiseLinear function =
        RandomPiecewiseLinear(-2.0, 2.0, 1 + i % 12, random);
    ASSERT_TRUE(function.Validate().ok());
    EXPECT_EQ(function.slopes.size(), static_cast<size_t>(1 + i % 12));
    EXPECT_EQ(function.knots.front(), -2.0);
    EXPECT_EQ(function.knots.back(), 2.0);
    EXPECT_LE(function.LipschitzConstant(), 1.0);
    const at::Tensor slope = function.Evaluate(x).diff().abs() / x.diff();
    EXPECT_LE(slope.max().item<double>(),
              function.LipschitzConstant() * (1 + 1e-9));
    steepest = std::max(steepest, slope.max().item<double>());
  }
  EXPECT_GT(steepest, 0.9);
}

TEST(PiecewiseLinearTest, TheSameSeedGivesTheSameFunction) {
  const auto knots = [](uint64_t seed) {
    const RandomSource random(seed);
    return RandomPiecewiseLinear(0.0, 1.0, 5, random).knots;
  };
  EXPECT_EQ(knots(3), knots(3));
  EXPECT_NE(knots(3), knots(4));
}

TEST(PiecewiseLinearTest, BadSettingsAreErrorsWithTheNumbers) {
  const auto message = [](const PiecewiseLinear& function) {
    const absl::Status status = function.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message({{0.0, 1.0}, {1.0, 1.0}, 0.0}),
              HasSubstr("2 slopes and 2 knots"));
  EXPECT_THAT(message({{0.0}, {}, 0.0}), HasSubstr("0 slopes"));
  EXPECT_THAT(message({{0.0, 2.5, 1.5}, {1.0, 1.0}, 0.0}),
              HasSubstr("1.5 comes after 2.5"));
  EXPECT_THAT(message({{0.0, 1.0}, {std::nan("")}, 0.0}), HasSubstr("finite"));
}

TEST(ConesTest, EnvelopesHaveTheirKnownValues) {
  const at::Tensor x = Matrix({{0, 0}, {3, 4}, {1, 0}});
  const std::vector<std::vector<double>> apexes = {{0, 0}, {3, 0}};
  struct Case {
    Norm norm;
    std::vector<double> lower;
    std::vector<double> upper;
  };
  // Distances from the apexes: (0, 3), (7 | 5 | 4, 4), (1, 2).
  for (const Case& expected :
       {Case{Norm::kL1, {0.0, 4.5, 1.0}, {0.0, -3.5, -1.0}},
        Case{Norm::kL2, {0.0, 4.5, 1.0}, {0.0, -3.5, -1.0}},
        Case{Norm::kLinf, {0.0, 4.0, 1.0}, {0.0, -3.5, -1.0}}}) {
    const Cones cones{expected.norm, apexes, {0.0, 0.5}};
    ASSERT_TRUE(cones.Validate().ok());
    EXPECT_TRUE(
        TensorsNear(cones.LowerEnvelope(x), Vector(expected.lower), 1e-14))
        << NormName(expected.norm);
    EXPECT_TRUE(
        TensorsNear(cones.UpperEnvelope(x), Vector(expected.upper), 1e-14))
        << NormName(expected.norm);
  }
}

TEST(ConesTest, EnvelopesAre1LipschitzInTheirNormAndNotBelow) {
  at::manual_seed(2);
  const at::Tensor x = at::rand({4000, 3}, at::kDouble) * 2 - 1;
  const at::Tensor y =
      x + 1e-3 * (at::rand({4000, 3}, at::kDouble) * 2 - 1).sign();
  for (const Norm norm : kAllNorms) {
    const Cones cones{norm,
                      {{0.2, 0.1, 0.0}, {-0.5, 0.3, 0.9}, {0.0, -0.7, 0.4}},
                      {0.0, 0.1, -0.2}};
    for (const bool lower : {true, false}) {
      const auto value = [&](const at::Tensor& point) {
        return lower ? cones.LowerEnvelope(point) : cones.UpperEnvelope(point);
      };
      const at::Tensor quotient =
          (value(x) - value(y)).abs() / Length(x - y, norm);
      EXPECT_LE(quotient.max().item<double>(), 1.0 + 1e-9) << NormName(norm);
      EXPECT_GE(quotient.max().item<double>(), 0.99) << NormName(norm);
    }
  }
}

TEST(ConesTest, BadSettingsAreErrorsWithTheNumbers) {
  const auto message = [](const Cones& cones) {
    const absl::Status status = cones.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message({Norm::kL2, {}, {}}), HasSubstr("0 apexes"));
  EXPECT_THAT(message({Norm::kL2, {{0.0}}, {0.0, 1.0}}),
              HasSubstr("1 apexes and 2 heights"));
  EXPECT_THAT(message({Norm::kL2, {{0.0, 0.0}, {1.0}}, {0.0, 0.0}}),
              HasSubstr("2 and 1 coordinates"));
  EXPECT_THAT(
      message({Norm::kL2, {{std::numeric_limits<double>::infinity()}}, {0.0}}),
      HasSubstr("finite"));
}

}  // namespace
}  // namespace lipschitz
