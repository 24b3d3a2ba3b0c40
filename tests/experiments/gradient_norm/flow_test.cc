#include "experiments/gradient_norm/flow.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>

#include "absl/status/status.h"
#include "experiments/gradient_norm/report.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz::experiments {
namespace {

using lipschitz::testing::Affine;
using lipschitz::testing::Chain;
using lipschitz::testing::FailsWith;
using lipschitz::testing::Matrix;
using lipschitz::testing::RandomMlp;
using lipschitz::testing::TensorsNear;

bool KeepsWith(ConstraintKind kind, int64_t inputs, int64_t outputs,
               double scale = 1.0) {
  LinearConfig config;
  config.in_features = inputs;
  config.out_features = outputs;
  config.constraint.kind = kind;
  config.scale = scale;
  return KeepsGradientNorm(LinearImpl(config));
}

TEST(KeepsGradientNormTest, OrthonormalRowsDo) {
  for (const ConstraintKind kind :
       {ConstraintKind::kStiefel, ConstraintKind::kPolar,
        ConstraintKind::kBjorck}) {
    EXPECT_TRUE(KeepsWith(kind, 5, 5));
    EXPECT_TRUE(KeepsWith(kind, 5, 3));
    EXPECT_FALSE(KeepsWith(kind, 3, 5));
    EXPECT_FALSE(KeepsWith(kind, 5, 3, 2.0));
  }
  for (const ConstraintKind kind :
       {ConstraintKind::kNone, ConstraintKind::kSpectral,
        ConstraintKind::kParseval, ConstraintKind::kLinfRows}) {
    EXPECT_FALSE(KeepsWith(kind, 5, 3));
  }
}

TEST(KeepsGradientNormTest, PermutationsAndSignsDo) {
  for (const ActivationSpec& spec :
       {ActivationSpec::MaxMin(), ActivationSpec::GroupSort(4),
        ActivationSpec::FullSort(), ActivationSpec::Abs()}) {
    EXPECT_TRUE(KeepsGradientNorm(ActivationImpl(spec))) << spec.Name();
  }
  EXPECT_FALSE(KeepsGradientNorm(ActivationImpl(ActivationSpec::Relu())));
}

TEST(MeasureGradientFlowTest, ByHand) {
  // |2x|, of which the gradient keeps its norm from the output to in front of
  // |·| alone.
  Sequential network =
      Chain({Affine(Matrix({{2}})).ptr(),
             std::make_shared<ActivationImpl>(ActivationSpec::Abs())});
  const auto flow =
      MeasureGradientFlow(*network, Matrix({{1}, {-3}}).to(at::kFloat), {});
  ASSERT_TRUE(flow.ok()) << flow.status();
  EXPECT_EQ(flow->keeping_layers, 1);
  EXPECT_EQ(flow->keeping_deviation, 0.0);
  ASSERT_EQ(flow->layers.size(), 3u);
  EXPECT_EQ(flow->layers[0].mean, 2.0);
  EXPECT_TRUE(TensorsNear(flow->singular_values, Matrix({{2}, {2}}), 1e-12));
}

TEST(MeasureGradientFlowTest, NormsAreKeptFromTheOutputToTheWideningLayer) {
  torch::manual_seed(0);
  for (const ActivationSpec& spec :
       {ActivationSpec::MaxMin(), ActivationSpec::FullSort(),
        ActivationSpec::Abs()}) {
    for (const bool widens : {false, true}) {
      const int64_t inputs = widens ? 2 : 12;
      Sequential network =
          RandomMlp(3, {inputs, 8, 8, 8, 3}, spec, ConstraintKind::kStiefel);
      const auto flow = MeasureGradientFlow(*network, at::randn({30, inputs}),
                                            at::randint(0, 3, {30}, at::kLong));
      ASSERT_TRUE(flow.ok()) << flow.status();
      EXPECT_EQ(flow->keeping_layers, widens ? 6 : 7);
      EXPECT_LE(flow->keeping_deviation, 1e-10);
      EXPECT_GT(flow->layers[0].max, 0.0);
      if (widens) {
        EXPECT_LT(flow->layers[0].min, 0.99);
      } else {
        EXPECT_TRUE(TensorsNear(flow->singular_values,
                                at::ones({30, 3}, at::kDouble), 1e-10));
      }
    }
  }
  Sequential relu = RandomMlp(3, {12, 8, 8, 1}, ActivationSpec::Relu(),
                              ConstraintKind::kStiefel);
  const auto flow = MeasureGradientFlow(*relu, at::randn({30, 12}), {});
  ASSERT_TRUE(flow.ok()) << flow.status();
  EXPECT_EQ(flow->keeping_layers, 1);
  EXPECT_LT(flow->layers[0].mean, 0.9);
}

TEST(MeasureGradientFlowTest, LeavesTheNetworkAsItWas) {
  Sequential network = RandomMlp(4, {3, 4, 1}, ActivationSpec::MaxMin());
  network->train();
  ASSERT_TRUE(MeasureGradientFlow(*network, at::rand({2, 3}), {}).ok());
  EXPECT_TRUE(network->is_training());
  for (const at::Tensor& parameter : network->parameters()) {
    EXPECT_EQ(parameter.scalar_type(), at::kFloat);
    EXPECT_FALSE(parameter.grad().defined());
  }
  EXPECT_TRUE(FailsWith(MeasureGradientFlow(*network, at::rand({2, 5}), {}),
                        absl::StatusCode::kInternal, {}));
}

TEST(HistogramOfTest, CountsTheNearest) {
  const Json histogram = HistogramOf(
      Matrix({{0.0, 0.012, 0.013, 0.5}, {1.0 - 1e-9, 1.0 + 1e-6, 0.99, 1.3}}));
  ASSERT_EQ(histogram["sigma"].size(), 41u);
  EXPECT_EQ(histogram["share"][0], 0.25);
  EXPECT_EQ(histogram["share"][1], 0.125);
  EXPECT_EQ(histogram["sigma"][20], 0.5);
  EXPECT_EQ(histogram["share"][20], 0.125);
  EXPECT_EQ(histogram["sigma"][40], 1.0);
  EXPECT_EQ(histogram["share"][40], 0.5);
}

}  // namespace
}  // namespace lipschitz::experiments
