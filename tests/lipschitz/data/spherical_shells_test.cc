#include "lipschitz/data/spherical_shells.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/data/random.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;

constexpr int64_t kSamples = 20000;

TEST(SphericalShellsTest, SamplesLieOnASphereAroundACentre) {
  for (const int64_t dim : {1, 2, 3, 128}) {
    for (const double radius : {1.0, 0.3, 1e-7}) {
      const SphericalShells shells{dim, radius, {0.0}};
      ASSERT_TRUE(shells.Validate().ok());
      const RandomSource random(dim);
      const at::Tensor x = shells.Sample(500, random);
      ASSERT_EQ(x.sizes(), (std::vector<int64_t>{500, dim}));
      EXPECT_EQ(x.scalar_type(), at::kFloat);
      EXPECT_TRUE(
          TensorsNear(x.norm(2, 1), at::full({500}, radius), 1e-6 * radius))
          << dim << " " << radius;
    }
  }
}

TEST(SphericalShellsTest, OneDimensionIsTheTwoEndsEquallyOften) {
  const SphericalShells shells{1, 1.0, {0.0}};
  const RandomSource random(3);
  const at::Tensor x = shells.Sample(kSamples, random);
  EXPECT_TRUE((x.abs() == 1).all().item<bool>());
  // Five standard deviations.
  EXPECT_LT(std::abs(x.mean().item<double>()), 5 / std::sqrt(kSamples));
}

TEST(SphericalShellsTest, DirectionsAreUniform) {
  for (const int64_t dim : {2, 5}) {
    const SphericalShells shells{dim, 2.0, {0.0}};
    const RandomSource random(4);
    const at::Tensor x = shells.Sample(kSamples, random).to(at::kDouble);
    const double tolerance = 5 * 2 / std::sqrt(static_cast<double>(kSamples));
    EXPECT_TRUE(TensorsNear(x.mean(0), at::zeros({dim}), tolerance));
    // E xxᵀ = r²/d I.
    EXPECT_TRUE(TensorsNear(x.t().mm(x) / static_cast<double>(kSamples),
                            at::eye(dim, at::kDouble) * (4.0 / dim),
                            4 * tolerance));
  }
  // The square of normals would pass the moments; the angle must be flat too.
  const SphericalShells circle{2, 1.0, {0.0}};
  const RandomSource random(5);
  const at::Tensor x = circle.Sample(kSamples, random);
  const at::Tensor angle = at::atan2(x.select(1, 1), x.select(1, 0));
  const at::Tensor counts = at::histc(angle, 8, -3.1415927, 3.1415927);
  EXPECT_LT((counts - kSamples / 8.0).abs().max().item<double>(),
            5 * std::sqrt(kSamples / 8.0));
}

TEST(SphericalShellsTest, EveryCentreIsDrawnEquallyOften) {
  const SphericalShells shells{2, 1e-3, {-2.0, 0.0, 2.0}};
  const RandomSource random(6);
  const at::Tensor x = shells.Sample(kSamples, random);
  EXPECT_LT(x.select(1, 1).abs().max().item<double>(), 1.1e-3);
  for (const double centre : shells.centres) {
    const at::Tensor near = (x.select(1, 0) - centre).abs() < 1.1e-3;
    EXPECT_NEAR(near.to(at::kDouble).mean().item<double>(), 1.0 / 3, 0.02)
        << centre;
  }
  EXPECT_LT(std::abs(x.select(1, 0).mean().item<double>()), 0.06);
}

TEST(SphericalShellsTest, BalancedSamplesHaveAsManyAroundEachCentre) {
  SphericalShells shells{2, 1e-3, {-2.0, 0.0, 2.0}};
  shells.balanced = true;
  const RandomSource random(6);
  const at::Tensor x = shells.Sample(99, random);
  for (const double centre : shells.centres) {
    const at::Tensor near = (x.select(1, 0) - centre).abs() < 1.1e-3;
    EXPECT_EQ(near.sum().item<int64_t>(), 33) << centre;
  }
}

TEST(SphericalShellsTest, RadiusZeroGivesTheCentres) {
  const SphericalShells shells{3, 0.0, {-2.0, 0.5}};
  const RandomSource random(7);
  const at::Tensor x = shells.Sample(200, random);
  std::set<float> seen;
  for (int64_t i = 0; i < x.size(0); ++i) seen.insert(x[i][0].item<float>());
  EXPECT_EQ(seen, (std::set<float>{-2.0f, 0.5f}));
  EXPECT_EQ(x.slice(1, 1).abs().max().item<double>(), 0);
}

TEST(SphericalShellsTest, SameSeedGivesTheSameSamples) {
  const SphericalShells shells{4, 1.0, {-1.0, 1.0}};
  const RandomSource a(8);
  const RandomSource b(8);
  const RandomSource c(9);
  const at::Tensor first = shells.Sample(10, a);
  EXPECT_TRUE(at::equal(first, shells.Sample(10, b)));
  EXPECT_FALSE(at::equal(first, shells.Sample(10, c)));
  EXPECT_FALSE(at::equal(first, shells.Sample(10, a)));
}

TEST(SphericalShellsTest, BadSettingsAreErrorsWithTheNumber) {
  const auto message = [](const SphericalShells& shells) {
    const absl::Status status = shells.Validate();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message({0, 1.0, {0.0}}), HasSubstr("got 0"));
  EXPECT_THAT(message({2, -0.5, {0.0}}), HasSubstr("got -0.5"));
  EXPECT_THAT(message({2, std::numeric_limits<double>::quiet_NaN(), {0.0}}),
              HasSubstr("nan"));
  EXPECT_THAT(message({2, std::numeric_limits<double>::infinity(), {0.0}}),
              HasSubstr("inf"));
  EXPECT_THAT(message({2, 1.0, {}}), HasSubstr("centre"));
}

}  // namespace
}  // namespace lipschitz
