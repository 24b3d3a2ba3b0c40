// lipschitz/lipschitz.h is enough by itself.
#include "gtest/gtest.h"
#include "lipschitz/lipschitz.h"

namespace lipschitz {
namespace {

TEST(Umbrella, IsEnoughToBuildTrainAndCertify) {
  MlpConfig config;
  config.input_dim = 2;
  config.hidden = {4};
  config.output_dim = 2;
  config.activation = ActivationSpec::MaxMin();
  auto network = MakeMlp(config);
  ASSERT_TRUE(network.ok()) << network.status();
  const RandomSource random(/*seed=*/0);
  const at::Tensor x = at::rand({8, 2}, random.generator());
  const at::Tensor labels = at::zeros({8}, at::kLong);
  AggMo optimizer((*network)->parameters(), AggMoOptions(0.1));
  MultiMarginLoss((*network)->forward(x), labels, /*margin=*/0.5).backward();
  optimizer.step();
  (*network)->AfterOptimizerStep();
  (*network)->AfterTraining();
  (*network)->eval();
  const auto bound = (*network)->LipschitzBound(Norm::kL2);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_LE(*bound, 1.0 + 1e-5);
  EXPECT_LE(OrthonormalityDefect(at::eye(3)), 1e-6);
}

}  // namespace
}  // namespace lipschitz
