#include "lipschitz/transport/best_so_far.h"

#include <torch/torch.h>

#include <limits>

#include "gtest/gtest.h"
#include "lipschitz/layers/linear.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

Linear Layer() {
  LinearConfig config;
  config.in_features = 3;
  config.out_features = 2;
  config.constraint.kind = ConstraintKind::kSpectral;  // has buffers
  return Linear(config);
}

void Fill(Linear& layer, double value) {
  torch::NoGradGuard no_grad;
  layer->weight.fill_(value);
  for (torch::Tensor& buffer : layer->buffers()) buffer.fill_(value);
}

TEST(BestSoFar, RestoresWhatScoredBest) {
  Linear layer = Layer();
  BestSoFar best(layer.ptr());
  Fill(layer, 1.0);
  best.Score(0.5, 10);
  Fill(layer, 2.0);
  best.Score(0.7, 20);
  Fill(layer, 3.0);
  best.Score(0.6, 30);
  best.Score(std::numeric_limits<double>::quiet_NaN(), 40);
  EXPECT_EQ(best.best_step(), 20);
  EXPECT_EQ(best.scores_since_best(), 2);
  best.Restore();
  EXPECT_TRUE((layer->weight == 2.0).all().item<bool>());
  for (const torch::Tensor& buffer : layer->buffers()) {
    EXPECT_TRUE((buffer == 2.0).all().item<bool>());
  }
}

TEST(BestSoFar, LeavesANetworkThatWasNeverScored) {
  Linear layer = Layer();
  BestSoFar best(layer.ptr());
  Fill(layer, 5.0);
  best.Restore();
  EXPECT_EQ(best.best_step(), 0);
  EXPECT_TRUE((layer->weight == 5.0).all().item<bool>());
}

// What a checkpoint saves: the parameters and buffers of the module.
TEST(BestSoFar, TravelsInItsParametersAndBuffers) {
  Linear layer = Layer();
  BestSoFar best(layer.ptr());
  Fill(layer, 1.0);
  best.Score(0.5, 10);
  Fill(layer, 2.0);
  best.Score(0.1, 20);

  Linear other_layer = Layer();
  BestSoFar other(other_layer.ptr());
  {
    torch::NoGradGuard no_grad;
    const auto copy = [](const auto& from, auto to) {
      ASSERT_EQ(from.size(), to.size());
      for (const auto& item : from) to[item.key()].copy_(item.value());
    };
    copy(best.named_parameters(), other.named_parameters());
    copy(best.named_buffers(), other.named_buffers());
  }
  EXPECT_EQ(other.best_step(), 10);
  EXPECT_EQ(other.scores_since_best(), 1);
  EXPECT_TRUE((other_layer->weight == 2.0).all().item<bool>());
  other.Score(0.4, 30);
  EXPECT_EQ(other.best_step(), 10);
  other.Restore();
  EXPECT_TRUE((other_layer->weight == 1.0).all().item<bool>());
}

TEST(BestSoFar, IsTheNetwork) {
  Linear layer = Layer();
  layer->eval();
  BestSoFar best(layer.ptr());
  best.eval();
  const torch::Tensor x = torch::randn({4, 3});
  EXPECT_TRUE(testing::TensorsNear(best.forward(x), layer->forward(x), 0.0));
  EXPECT_EQ(best.LipschitzBound(Norm::kL2).value(),
            layer->LipschitzBound(Norm::kL2).value());
}

}  // namespace
}  // namespace lipschitz
