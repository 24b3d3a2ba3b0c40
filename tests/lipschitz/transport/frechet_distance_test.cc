#include "lipschitz/transport/frechet_distance.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::FailsWith;
using testing::Matrix;
using testing::TensorsNear;

at::Tensor Row(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble);
}

double Distance(const GaussianMoments& p, const GaussianMoments& q) {
  const auto distance = SquaredFrechetDistance(p, q);
  EXPECT_TRUE(distance.ok()) << distance.status();
  return distance.ok() ? *distance : -1.0;
}

at::Tensor RandomCovariance(int64_t dim, int64_t rank) {
  const at::Tensor root = at::randn({dim, rank}, at::kDouble);
  return at::mm(root, root.t());
}

// Commuting covariances: Σ (√a − √b)², in any rotated axes.
TEST(FrechetDistance, CommutingCovariancesHaveAClosedForm) {
  torch::manual_seed(0);
  const at::Tensor a = Row({4.0, 1.0, 0.25, 0.0});
  const at::Tensor b = Row({1.0, 9.0, 0.25, 2.25});
  const at::Tensor rotation =
      std::get<0>(at::linalg_qr(at::randn({4, 4}, at::kDouble)));
  const auto rotated = [&](const at::Tensor& variances) {
    return at::mm(rotation * variances, rotation.t());
  };
  const GaussianMoments p = {Row({1, 2, 3, 4}), rotated(a)};
  const GaussianMoments q = {Row({1, 0, 3, 5}), rotated(b)};
  // 2² + 1² and 1² + 2² + 0 + 1.5².
  // The root of an eigenvalue that is zero but for rounding is not.
  EXPECT_NEAR(Distance(p, q), 5.0 + 7.25, 1e-6);
  EXPECT_NEAR(Distance(q, p), 5.0 + 7.25, 1e-6);
  EXPECT_NEAR(Distance(p, p), 0.0, 1e-6);
}

TEST(FrechetDistance, OnTheLineItIsThatOfMeansAndDeviations) {
  EXPECT_NEAR(
      Distance({Row({3.0}), Matrix({{4.0}})}, {Row({-1.0}), Matrix({{0.25}})}),
      16.0 + 1.5 * 1.5, 1e-12);
}

// tr (C^{1/2} D C^{1/2})^{1/2} is the sum of the roots of the eigenvalues of
// C D, which is not symmetric.
TEST(FrechetDistance, AgreesWithTheEigenvaluesOfTheProduct) {
  torch::manual_seed(1);
  for (int i = 0; i < 20; ++i) {
    const int64_t dim = 2 + i % 5;
    const GaussianMoments p = {at::randn({dim}, at::kDouble),
                               RandomCovariance(dim, dim)};
    const GaussianMoments q = {at::randn({dim}, at::kDouble),
                               RandomCovariance(dim, dim)};
    const at::Tensor eigenvalues =
        at::real(at::linalg_eigvals(at::mm(p.covariance, q.covariance)));
    const double expected =
        ((p.mean - q.mean).square().sum() + p.covariance.trace() +
         q.covariance.trace() - 2 * eigenvalues.clamp_min(0).sqrt().sum())
            .item<double>();
    EXPECT_NEAR(Distance(p, q), expected, 1e-8);
  }
}

TEST(FrechetDistance, SingularCovariancesAndFeatureThatNeverMoves) {
  torch::manual_seed(2);
  const GaussianMoments p = {at::zeros({8}, at::kDouble),
                             RandomCovariance(8, 3)};
  EXPECT_NEAR(Distance(p, p), 0.0, 1e-6);
  const GaussianMoments point = {at::zeros({8}, at::kDouble),
                                 at::zeros({8, 8}, at::kDouble)};
  EXPECT_NEAR(Distance(p, point), p.covariance.trace().item<double>(), 1e-9);
}

TEST(FrechetDistance, MomentsOfSamples) {
  const auto moments = MomentsOf(Matrix({{1, 2}, {3, 2}, {5, 8}}));
  ASSERT_TRUE(moments.ok()) << moments.status();
  EXPECT_TRUE(TensorsNear(moments->mean, Row({3, 4}), 1e-12));
  EXPECT_TRUE(
      TensorsNear(moments->covariance, Matrix({{4, 6}, {6, 12}}), 1e-12));
  // float32 samples far from zero keep their covariance.
  torch::manual_seed(3);
  const at::Tensor x = at::randn({2000, 3}, at::kFloat) + 1000.0;
  EXPECT_TRUE(
      TensorsNear(MomentsOf(x)->covariance, at::eye(3, at::kDouble), 0.12));
}

TEST(FrechetDistance, OfSamplesConvergesToThatOfTheirDistributions) {
  torch::manual_seed(4);
  const at::Tensor p = at::randn({20000, 2}, at::kDouble);
  const at::Tensor q =
      at::randn({20000, 2}, at::kDouble) * Row({2.0, 1.0}) + Row({0.0, 1.0});
  EXPECT_NEAR(Distance(*MomentsOf(p), *MomentsOf(q)), 2.0, 0.1);
}

TEST(FrechetDistance, WhatDoesNotFitIsAnError) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(FailsWith(MomentsOf(Matrix({{1, 2}})), kInvalid, {"[1, 2]"}));
  EXPECT_TRUE(FailsWith(MomentsOf(Row({1, 2})), kInvalid, {"[2]"}));
  EXPECT_TRUE(FailsWith(
      MomentsOf(Matrix({{1}, {std::numeric_limits<double>::quiet_NaN()}})),
      kInvalid, {"finite"}));
  const GaussianMoments one = {Row({0}), Matrix({{1}})};
  const GaussianMoments two = {Row({0, 0}), Matrix({{1, 0}, {0, 1}})};
  EXPECT_TRUE(
      FailsWith(SquaredFrechetDistance(one, two), kInvalid, {"1", "2"}));
  EXPECT_TRUE(FailsWith(SquaredFrechetDistance(one, {}), kInvalid, {"dim"}));
  EXPECT_TRUE(FailsWith(
      SquaredFrechetDistance(
          one, {Row({0}), Matrix({{std::numeric_limits<double>::infinity()}})}),
      kInvalid, {"finite"}));
}

}  // namespace
}  // namespace lipschitz
