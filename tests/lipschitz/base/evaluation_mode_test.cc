#include "lipschitz/base/evaluation_mode.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>

#include "gtest/gtest.h"
#include "lipschitz/base/float64_evaluation.h"

namespace lipschitz {
namespace {

struct Part : torch::nn::Module {
  explicit Part(bool training) { train(training); }
};

struct Whole : torch::nn::Module {
  Whole() {
    on = register_module("on", std::make_shared<Part>(true));
    off = register_module("off", std::make_shared<Part>(false));
    weight = register_parameter("weight", torch::rand({3}));
    count = register_buffer("count", torch::ones({1}, torch::kLong));
  }
  std::shared_ptr<Part> on;
  std::shared_ptr<Part> off;
  torch::Tensor weight;
  torch::Tensor count;
};

TEST(EvaluationModeTest, EveryPartGoesBackToItsOwnMode) {
  Whole whole;
  {
    const EvaluationMode mode(whole);
    EXPECT_FALSE(whole.is_training());
    EXPECT_FALSE(whole.on->is_training());
  }
  EXPECT_TRUE(whole.is_training());
  EXPECT_TRUE(whole.on->is_training());
  EXPECT_FALSE(whole.off->is_training());
}

TEST(Float64EvaluationTest, ConvertsFloatingPointAndRestoresEveryBit) {
  Whole whole;
  const torch::Tensor before = whole.weight.detach().clone();
  {
    const Float64Evaluation evaluation(whole);
    EXPECT_FALSE(whole.is_training());
    EXPECT_EQ(whole.weight.scalar_type(), torch::kDouble);
    EXPECT_EQ(whole.count.scalar_type(), torch::kLong);
    EXPECT_TRUE(whole.weight.detach().equal(before.to(torch::kDouble)));
  }
  EXPECT_TRUE(whole.weight.detach().equal(before));
  EXPECT_TRUE(whole.is_training());
  EXPECT_FALSE(whole.off->is_training());
}

// A layer that a network applies twice is registered twice.
TEST(Float64EvaluationTest, RestoresWhatIsSharedToo) {
  struct Tied : torch::nn::Module {
    Tied() {
      const auto whole = std::make_shared<Whole>();
      first = register_module("first", whole);
      register_module("second", whole);
    }
    std::shared_ptr<Whole> first;
  };
  Tied tied;
  ASSERT_EQ(tied.parameters().size(), 2u);
  const torch::Tensor before = tied.first->weight.detach().clone();
  {
    const Float64Evaluation evaluation(tied);
    EXPECT_EQ(tied.first->weight.scalar_type(), torch::kDouble);
  }
  EXPECT_EQ(tied.first->weight.scalar_type(), torch::kFloat);
  EXPECT_TRUE(tied.first->weight.detach().equal(before));
}

}  // namespace
}  // namespace lipschitz
