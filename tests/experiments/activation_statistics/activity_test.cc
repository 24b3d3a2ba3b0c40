#include "experiments/activation_statistics/activity.h"

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "tests/testing/networks.h"
#include "tests/testing/tensors.h"

namespace lipschitz::experiments {
namespace {

using lipschitz::testing::Affine;
using lipschitz::testing::Chain;
using lipschitz::testing::Matrix;
using lipschitz::testing::RandomMlp;

ActivationStatistics LayerOf(const std::vector<double>& positive) {
  ActivationStatistics layer;
  layer.activation = ActivationSpec::Relu();
  layer.positive = Matrix({positive})[0];
  return layer;
}

// Two pairs, of which the first units are the larger ones at these shares.
ActivationStatistics PairsOf(double first, double second) {
  ActivationStatistics layer = LayerOf({0.5, 0.5, 0.5, 0.5});
  layer.activation = ActivationSpec::MaxMin();
  layer.moved = Matrix({{first, first, second, second}})[0];
  return layer;
}

TEST(ThresholdsTest, AreEvenFromZeroToOne) {
  const std::vector<double> thresholds = Thresholds();
  ASSERT_EQ(thresholds.size(), 21u);
  EXPECT_EQ(thresholds.front(), 0.0);
  EXPECT_EQ(thresholds[1], 0.05);
  EXPECT_EQ(thresholds.back(), 1.0);
}

TEST(FixedRateTest, CountsUnitsOnOneSide) {
  const ActivationStatistics layer = LayerOf({1.0, 0.96, 0.5, 0.03});
  EXPECT_EQ(FixedRate(layer, 0.5), 1.0);
  EXPECT_EQ(FixedRate(layer, 0.95), 0.75);
  EXPECT_EQ(FixedRate(layer, 1.0), 0.25);
}

TEST(FixedRateTest, CountsPairsInOneOrder) {
  EXPECT_EQ(FixedRate(PairsOf(0.02, 0.6), 0.95), 0.5);
  EXPECT_EQ(FixedRate(PairsOf(0.02, 0.97), 0.95), 1.0);
  EXPECT_EQ(FixedRate(PairsOf(0.4, 0.6), 0.95), 0.0);
}

TEST(ActivityOfTest, IsTheMeanOverLayers) {
  const Metrics metrics =
      ActivityOf({LayerOf({1.0, 0.5}), LayerOf({0.96, 0.0, 0.3, 0.7})});
  EXPECT_DOUBLE_EQ(metrics.at("undead_rate"), (0.5 + 0.25) / 2);
  EXPECT_DOUBLE_EQ(metrics.at("dead_rate"), (0.0 + 0.25) / 2);
  EXPECT_DOUBLE_EQ(metrics.at("fixed_rate"), (0.5 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(metrics.at("active_share"), (0.75 + 0.49) / 2);
  EXPECT_EQ(metrics.count("first_share"), 0u);
  EXPECT_DOUBLE_EQ(ActivityOf({PairsOf(0.2, 0.6)}).at("first_share"), 0.4);
}

TEST(JacobianVariationTest, IsZeroForAnAffineMapAlone) {
  Sequential affine = RandomMlp(1, {4, 6, 3}, ActivationSpec::Identity());
  const auto none = JacobianVariation(*affine, at::rand({20, 4}));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_NEAR(*none, 0.0, 1e-12);
  // |x|: the slopes 1 and −1 have the mean 1/2 at three points to one.
  Sequential absolute =
      Chain({Affine(Matrix({{1}})).ptr(),
             std::make_shared<ActivationImpl>(ActivationSpec::Abs())});
  const auto some = JacobianVariation(*absolute, Matrix({{1}, {2}, {3}, {-1}}));
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_NEAR(*some, 0.75, 1e-12);
}

}  // namespace
}  // namespace lipschitz::experiments
