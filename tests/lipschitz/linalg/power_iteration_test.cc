#include "lipschitz/linalg/power_iteration.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/linalg/convolution.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::ConvolutionMatrix;
using lipschitz::testing::Matrix;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 9}, {9, 1}, {3, 11}, {11, 3}, {8, 8}, {40, 30}};

double TrueNorm(const at::Tensor& w) {
  return SingularValues(w)[0].item<double>();
}

TEST(PowerIteration, IsNeverAboveTheTrueNorm) {
  for (int seed = 0; seed < 20; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      for (int iterations : {1, 2, 5, 20}) {
        EXPECT_LE(PowerIteration(w, iterations).sigma,
                  TrueNorm(w) * (1 + 1e-14));
      }
    }
  }
}

TEST(PowerIteration, ConvergesFromBelowWithEveryIteration) {
  at::manual_seed(3);
  for (const auto& [rows, columns] : kShapes) {
    const at::Tensor w = at::randn({rows, columns}, at::kDouble);
    double before = 0.0;
    for (int iterations = 1; iterations <= 30; ++iterations) {
      const double sigma = PowerIteration(w, iterations).sigma;
      EXPECT_GE(sigma, before * (1 - 1e-14));
      before = sigma;
    }
    EXPECT_NEAR(PowerIteration(w, 3000).sigma, TrueNorm(w), 1e-10);
  }
}

TEST(PowerIteration, ConvergesAtTheRateOfTheGap) {
  // From u = (c, s): after k steps u ∝ (c, s (1/2)^{2k}).
  const at::Tensor w = at::diag(at::tensor({2.0, 1.0}, at::kDouble));
  const at::Tensor u = at::tensor({0.6, 0.8}, at::kDouble);
  for (int k = 1; k <= 8; ++k) {
    const PowerIterationResult result = PowerIteration(w, k, u);
    // v = Wᵀu_{k-1} normalised, u_k = Wv normalised, σ = |Wv|.
    const double ratio = 0.8 / 0.6 * std::pow(0.5, 2 * (k - 1)) * 0.5;
    EXPECT_NEAR(result.sigma,
                std::sqrt((4 + ratio * ratio) / (1 + ratio * ratio)), 1e-12)
        << k;
  }
}

// orthonogium stores the number of power iterations and always does three.
TEST(PowerIteration, DoesExactlyTheConfiguredIterations) {
  at::manual_seed(5);
  const at::Tensor w = at::randn({12, 17}, at::kDouble);
  at::Tensor u = at::randn({12}, at::kDouble);
  u = u / u.norm();
  const at::Tensor start = u.clone();
  at::Tensor v;
  for (int k = 1; k <= 12; ++k) {
    v = at::mv(w.t(), u);
    v = v / v.norm();
    u = at::mv(w, v);
    u = u / u.norm();
    const PowerIterationResult result = PowerIteration(w, k, start);
    EXPECT_TRUE(TensorsNear(result.u, u, 1e-12)) << k;
    EXPECT_TRUE(TensorsNear(result.v, v, 1e-12)) << k;
    EXPECT_NEAR(result.sigma, at::dot(u, at::mv(w, v)).item<double>(), 1e-12);
  }
}

TEST(PowerIteration, GoesOnFromAGivenVector) {
  at::manual_seed(6);
  const at::Tensor w = at::randn({10, 10}, at::kDouble);
  const PowerIterationResult first = PowerIteration(w, 4);
  const PowerIterationResult second = PowerIteration(w, 3, first.u);
  EXPECT_NEAR(second.sigma, PowerIteration(w, 7).sigma, 1e-13);
}

TEST(PowerIteration, ReturnsUnitVectorsInTheTypeOfTheMatrix) {
  at::manual_seed(7);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const auto result = PowerIteration(at::randn({5, 8}, type), 3);
    EXPECT_EQ(result.u.scalar_type(), type);
    EXPECT_EQ(result.v.scalar_type(), type);
    EXPECT_EQ(result.u.sizes(), at::IntArrayRef({5}));
    EXPECT_EQ(result.v.sizes(), at::IntArrayRef({8}));
    EXPECT_NEAR(result.u.norm().item<double>(), 1.0, 1e-6);
    EXPECT_NEAR(result.v.norm().item<double>(), 1.0, 1e-6);
  }
}

TEST(PowerIteration, LeavesTheGeneratorAlone) {
  const at::Tensor w = at::ones({6, 4});
  at::manual_seed(11);
  PowerIteration(w, 5);
  const at::Tensor after = at::randn({4});
  at::manual_seed(11);
  EXPECT_TRUE(after.equal(at::randn({4})));
}

TEST(PowerIteration, GivesTheSameFromAnyStateOfTheGenerator) {
  at::manual_seed(1);
  const at::Tensor w = at::randn({6, 4});
  const double sigma = PowerIteration(w, 2).sigma;
  at::manual_seed(2);
  EXPECT_EQ(PowerIteration(w, 2).sigma, sigma);
}

TEST(PowerIteration, OfAZeroMatrixIsZero) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    EXPECT_EQ(PowerIteration(at::zeros({3, 5}, type), 4).sigma, 0.0);
  }
}

TEST(PowerIteration, OfARankOneMatrixIsExactAtOnce) {
  // |u| |v| = 5 · 13.
  const at::Tensor w = at::mm(Matrix({{3}, {4}}), Matrix({{5, 0, 12}}));
  EXPECT_NEAR(PowerIteration(w, 1).sigma, 65.0, 1e-12);
}

// Squares of such entries underflow or overflow; the estimate must not end up
// above the norm, or at zero.
TEST(PowerIteration, DoesNotDependOnTheScale) {
  at::manual_seed(8);
  const at::Tensor w = at::randn({6, 9}, at::kDouble);
  const double sigma = PowerIteration(w, 5).sigma;
  for (double scale : {1e-300, 1e-200, 1e-150, 1e-40, 1e150, 1e200, 1e300}) {
    EXPECT_NEAR(PowerIteration(w * scale, 5).sigma / scale, sigma, 1e-12)
        << scale;
  }
  for (double scale : {1e-36, 1e-30, 1e-25, 1e-20, 1e20, 1e30, 1e36}) {
    EXPECT_NEAR(PowerIteration((w * scale).to(at::kFloat), 5).sigma / scale,
                sigma, 1e-5)
        << scale;
  }
}

TEST(PowerIteration, RecordsNoGradient) {
  const at::Tensor w = at::randn({3, 4}).requires_grad_(true);
  const auto result = PowerIteration(w, 3);
  EXPECT_FALSE(result.u.requires_grad());
  EXPECT_FALSE(result.v.requires_grad());
}

TEST(PowerIteration, OnAConvolutionIsThatOnItsMatrix) {
  at::manual_seed(9);
  ConvolutionGeometry g;
  g.in_channels = 2;
  g.out_channels = 3;
  g.kernel_height = g.kernel_width = 3;
  g.stride = 2;
  g.padding = 1;
  g.input_height = 5;
  g.input_width = 6;
  const at::Tensor kernel = at::randn({3, 2, 3, 3}, at::kDouble);
  const at::Tensor u = at::randn({1, 3, 3, 3}, at::kDouble);
  const LinearMap map = {
      [&](const at::Tensor& x) { return Convolve(x, kernel, g); },
      [&](const at::Tensor& y) { return ConvolveTransposed(y, kernel, g); }};
  for (const int iterations : {1, 2, 7}) {
    const PowerIterationResult images = PowerIteration(map, iterations, u);
    const PowerIterationResult vectors = PowerIteration(
        ConvolutionMatrix(kernel, g), iterations, u.reshape({-1}));
    EXPECT_NEAR(images.sigma, vectors.sigma, 1e-12);
    EXPECT_TRUE(TensorsNear(images.u.reshape({-1}), vectors.u, 1e-12));
    EXPECT_TRUE(TensorsNear(images.v.reshape({-1}), vectors.v, 1e-12));
    EXPECT_EQ(images.v.sizes(), (std::vector<int64_t>{1, 2, 5, 6}));
  }
}

}  // namespace
}  // namespace lipschitz
