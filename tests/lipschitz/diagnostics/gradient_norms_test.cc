#include "lipschitz/diagnostics/gradient_norms.h"

#include <torch/types.h>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/layers/linear.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

Linear Affine(int64_t outputs) {
  LinearConfig config;
  config.in_features = 2;
  config.out_features = outputs;
  config.constraint.kind = ConstraintKind::kNone;
  Linear layer(config);
  torch::NoGradGuard no_grad;
  layer->weight.fill_(3.0);
  layer->weight.select(1, 1).fill_(-4.0);
  return layer;
}

TEST(InputGradientNorms, AreInTheDualNorm) {
  Linear layer = Affine(1);
  const torch::Tensor x = torch::randn({5, 2});
  const auto norm = [&](Norm of_inputs) {
    const auto norms = InputGradientNorms(*layer, x, of_inputs);
    EXPECT_TRUE(norms.ok()) << norms.status();
    EXPECT_EQ(norms->size(0), 5);
    EXPECT_EQ(norms->min().item<double>(), norms->max().item<double>());
    return norms->max().item<double>();
  };
  EXPECT_DOUBLE_EQ(norm(Norm::kL2), 5.0);
  EXPECT_DOUBLE_EQ(norm(Norm::kLinf), 7.0);
  EXPECT_DOUBLE_EQ(norm(Norm::kL1), 4.0);
}

TEST(InputGradientNorms, LeaveNoGradientBehind) {
  Linear layer = Affine(1);
  const torch::Tensor x = torch::randn({5, 2});
  ASSERT_TRUE(InputGradientNorms(*layer, x, Norm::kL2).ok());
  EXPECT_FALSE(layer->weight.grad().defined());
  EXPECT_FALSE(x.requires_grad());
}

TEST(InputGradientNorms, NeedOneOutput) {
  Linear layer = Affine(3);
  EXPECT_TRUE(testing::FailsWith(
      InputGradientNorms(*layer, torch::randn({5, 2}), Norm::kL2),
      absl::StatusCode::kInvalidArgument, {"one output", "15"}));
}

}  // namespace
}  // namespace lipschitz
