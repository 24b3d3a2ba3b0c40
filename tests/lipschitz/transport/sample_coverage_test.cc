#include "lipschitz/transport/sample_coverage.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::FailsWith;
using testing::Matrix;

SampleCoverage Measure(const at::Tensor& real, const at::Tensor& generated,
                       int64_t k) {
  const auto measured = MeasureCoverage(real, generated, k);
  EXPECT_TRUE(measured.ok()) << measured.status();
  return measured.ok() ? *measured : SampleCoverage();
}

// On the line, with k = 1: the balls of the real samples reach 1, 1, 1 and 8.
TEST(SampleCoverage, OfAHandfulOfPoints) {
  const at::Tensor real = Matrix({{0}, {1}, {2}, {10}});
  // 0.5 is in the balls of 0 and 1; 3 in those of 2, at its end, and of 10; 30
  // in none. The balls of these reach 2.5, 2.5 and 27.
  SampleCoverage measured = Measure(real, Matrix({{0.5}, {3}, {30}}), 1);
  EXPECT_DOUBLE_EQ(measured.precision, 2.0 / 3);
  EXPECT_DOUBLE_EQ(measured.recall, 1.0);
  EXPECT_DOUBLE_EQ(measured.density, 4.0 / 3);
  EXPECT_DOUBLE_EQ(measured.coverage, 1.0);
  // Both are in the balls of 0 and 1; theirs reach 0.2.
  measured = Measure(real, Matrix({{0.4}, {0.6}}), 1);
  EXPECT_DOUBLE_EQ(measured.precision, 1.0);
  EXPECT_DOUBLE_EQ(measured.recall, 0.0);
  EXPECT_DOUBLE_EQ(measured.density, 2.0);
  EXPECT_DOUBLE_EQ(measured.coverage, 0.5);
  // The second neighbours are 2, 1, 2 and 9 away: 1.5 is in four balls, −1 and
  // 12 are in one, 50 is in none.
  measured = Measure(real, Matrix({{1.5}, {-1}, {12}, {50}}), 2);
  EXPECT_DOUBLE_EQ(measured.density, (4.0 + 1.0 + 1.0 + 0.0) / (2 * 4));
  EXPECT_DOUBLE_EQ(measured.precision, 0.75);
}

TEST(SampleCoverage, OfASampleAndItself) {
  torch::manual_seed(0);
  const at::Tensor x = at::randn({300, 4}, at::kFloat);
  const SampleCoverage measured = Measure(x, x, 3);
  EXPECT_DOUBLE_EQ(measured.precision, 1.0);
  EXPECT_DOUBLE_EQ(measured.recall, 1.0);
  EXPECT_DOUBLE_EQ(measured.coverage, 1.0);
  // Every point is in its own ball, and in three others on average.
  EXPECT_NEAR(measured.density, 4.0 / 3, 1e-9);
  // Points that are there twice are neighbours of each other.
  const at::Tensor twice = at::cat({x, x});
  EXPECT_DOUBLE_EQ(Measure(twice, x, 1).coverage, 1.0);
  EXPECT_DOUBLE_EQ(Measure(twice, x + 1e-3, 1).coverage, 0.0);
}

// For n = m samples of one continuous distribution, the chance that all k
// nearest of the other 2n − 1 are real is about 2^−k (Naeem et al., lemma 2),
// and a generated one is in k balls on average. More rows than are compared at
// a time.
TEST(SampleCoverage, OfOneDistributionIsAsExpected) {
  torch::manual_seed(1);
  const at::Tensor real = at::randn({2500, 3}, at::kDouble);
  const at::Tensor generated = at::randn({2500, 3}, at::kDouble);
  for (const int64_t k : {1, 3, 5}) {
    const SampleCoverage measured = Measure(real, generated, k);
    EXPECT_NEAR(measured.coverage, 1 - std::pow(2.0, -k), 0.03) << k;
    EXPECT_NEAR(measured.density, 1.0, 0.06) << k;
  }
}

TEST(SampleCoverage, AModeThatIsDroppedCostsCoverageAndRecallOnly) {
  torch::manual_seed(2);
  const auto modes = [](int64_t n, int64_t count) {
    const at::Tensor mode = at::arange(n, at::kDouble).remainder(count);
    return at::randn({n, 2}, at::kDouble) * 0.1 + mode.unsqueeze(1) * 10.0;
  };
  const SampleCoverage measured = Measure(modes(800, 4), modes(800, 1), 5);
  EXPECT_NEAR(measured.coverage, 0.25, 0.02);
  EXPECT_NEAR(measured.recall, 0.25, 0.02);
  EXPECT_GT(measured.precision, 0.9);
  // And images that are like none cost precision only.
  const SampleCoverage other = Measure(modes(800, 1), modes(800, 4), 5);
  EXPECT_NEAR(other.precision, 0.25, 0.02);
  EXPECT_GT(other.recall, 0.9);
}

TEST(SampleCoverage, WhatDoesNotFitIsAnError) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const at::Tensor x = at::ones({6, 2}, at::kDouble);
  EXPECT_TRUE(FailsWith(MeasureCoverage(x, x, 6), kInvalid, {"6", "real"}));
  EXPECT_TRUE(FailsWith(MeasureCoverage(x, x.narrow(0, 0, 5), 5), kInvalid,
                        {"5", "generated"}));
  EXPECT_TRUE(FailsWith(MeasureCoverage(x, x, 0), kInvalid, {"0"}));
  EXPECT_TRUE(FailsWith(MeasureCoverage(x, at::ones({6, 3}, at::kDouble)),
                        kInvalid, {"2", "3"}));
  EXPECT_TRUE(FailsWith(MeasureCoverage(x[0], x), kInvalid, {"[2]"}));
  const at::Tensor bad = x * std::numeric_limits<double>::infinity();
  EXPECT_TRUE(FailsWith(MeasureCoverage(x, bad), kInvalid, {"finite"}));
}

}  // namespace
}  // namespace lipschitz
