#include "lipschitz/layers/dropout.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {
namespace {

TEST(Dropout, InEvaluationItIsTheIdentity) {
  torch::manual_seed(1);
  Dropout layer(0.5);
  layer->eval();
  const at::Tensor x = torch::randn({5, 7});
  EXPECT_TRUE(at::equal(layer->forward(x), x));
}

TEST(Dropout, InTrainingItDropsAtItsRateAndScalesTheRest) {
  torch::manual_seed(1);
  for (const double rate : {0.1, 0.5, 0.75}) {
    Dropout layer(rate);
    const int64_t n = 200000;
    const at::Tensor y = layer->forward(torch::full({n}, 3.0, torch::kDouble));
    const at::Tensor kept = y.masked_select(y != 0);
    const double share = static_cast<double>(kept.numel()) / n;
    // Five standard deviations of a binomial share.
    EXPECT_NEAR(share, 1 - rate, 5 * std::sqrt(rate * (1 - rate) / n));
    EXPECT_LT((kept - 3.0 / (1 - rate)).abs().max().item<double>(), 1e-12);
  }
}

TEST(Dropout, OfRateZeroKeepsEverything) {
  Dropout layer(0.0);
  const at::Tensor x = torch::randn({5, 7});
  EXPECT_TRUE(at::equal(layer->forward(x), x));
}

TEST(Dropout, GradientGoesWhereTheValueWent) {
  torch::manual_seed(2);
  Dropout layer(0.5);
  const at::Tensor x = torch::ones({100}).requires_grad_(true);
  const at::Tensor y = layer->forward(x);
  y.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), y.detach()));
}

TEST(Dropout, BoundIsThatOfTheIdentityInEveryPairOfNorms) {
  Dropout layer(0.5);
  Activation identity(ActivationSpec::Identity());
  const auto bounds = layer->LipschitzBounds();
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  for (const Norm in : kAllNorms) {
    EXPECT_EQ(bounds->At(in, in), 1.0);
    for (const Norm out : kAllNorms) {
      EXPECT_EQ(bounds->At(in, out), identity->LipschitzBounds()->At(in, out));
    }
  }
}

TEST(Dropout, RateOutsideItsRangeIsAnErrorWithTheNumber) {
  for (const double rate :
       {-0.1, 1.0, 2.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_FALSE(ValidateDropout(rate).ok());
    EXPECT_THAT([&] { Dropout layer(rate); },
                ::testing::ThrowsMessage<c10::Error>(
                    ::testing::HasSubstr("the rate must be")));
  }
}

}  // namespace
}  // namespace lipschitz
