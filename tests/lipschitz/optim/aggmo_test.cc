#include "lipschitz/optim/aggmo.h"

#include <torch/torch.h>

#include <limits>
#include <sstream>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

torch::Tensor Parameter(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble).requires_grad_(true);
}

// One step on Σ c_i p_i² / 2 + Σ sin(p_i).
void Descend(torch::optim::Optimizer& optimizer, const torch::Tensor& p) {
  optimizer.zero_grad();
  (0.5 * torch::arange(1, p.numel() + 1, torch::kDouble) * p.square() + p.sin())
      .sum()
      .backward();
  optimizer.step();
}

void DescendHalfSquare(torch::optim::Optimizer& optimizer,
                       const torch::Tensor& p) {
  optimizer.zero_grad();
  (0.5 * p.square()).sum().backward();
  optimizer.step();
}

TEST(AggMoTest, GoldenValuesOnAParabola) {
  const torch::Tensor p = Parameter({1});
  AggMo optimizer({p}, AggMoOptions(0.1).betas({0, 0.9, 0.99}));
  for (const double expected : {.9, .747, .5559299, .3429296, .1241708}) {
    DescendHalfSquare(optimizer, p);
    EXPECT_NEAR(p.item<double>(), expected, 2e-7);
  }
}

TEST(AggMoTest, DefaultDampingsAreThePapers) {
  EXPECT_EQ(AggMoOptions().betas(), (std::vector<double>{0, 0.9, 0.99}));
  EXPECT_EQ(AggMoOptions().weight_decay(), 0);
}

TEST(AggMoTest, WithTheSingleDampingZeroItIsPlainDescent) {
  for (const double decay : {0.0, 0.3}) {
    const torch::Tensor a = Parameter({1, -2, 3});
    const torch::Tensor b = Parameter({1, -2, 3});
    AggMo aggmo({a}, AggMoOptions(0.05).betas({0}).weight_decay(decay));
    torch::optim::SGD sgd({b},
                          torch::optim::SGDOptions(0.05).weight_decay(decay));
    for (int i = 0; i < 10; ++i) {
      Descend(aggmo, a);
      Descend(sgd, b);
      EXPECT_TRUE(TensorsNear(a, b, 1e-14)) << decay << " step " << i;
    }
  }
}

TEST(AggMoTest, WithOneDampingItIsHeavyBallMomentum) {
  const torch::Tensor a = Parameter({1, -2, 3});
  const torch::Tensor b = Parameter({1, -2, 3});
  AggMo aggmo({a}, AggMoOptions(0.02).betas({0.9}).weight_decay(0.1));
  torch::optim::SGD sgd(
      {b}, torch::optim::SGDOptions(0.02).momentum(0.9).weight_decay(0.1));
  for (int i = 0; i < 20; ++i) {
    Descend(aggmo, a);
    Descend(sgd, b);
    EXPECT_TRUE(TensorsNear(a, b, 1e-13)) << i;
  }
}

TEST(AggMoTest, VelocityDoesNotRememberTheRate) {
  const torch::Tensor p = Parameter({1});
  AggMo optimizer({p}, AggMoOptions(0.1).betas({0.5}));
  DescendHalfSquare(optimizer, p);  // v = 1, p = 0.9
  EXPECT_DOUBLE_EQ(p.item<double>(), 0.9);
  optimizer.param_groups()[0].options().set_lr(0.01);
  EXPECT_EQ(optimizer.param_groups()[0].options().get_lr(), 0.01);
  DescendHalfSquare(optimizer, p);  // v = 0.5 + 0.9, p = 0.9 − 0.014
  EXPECT_DOUBLE_EQ(p.item<double>(), 0.886);
}

TEST(AggMoTest, ParameterWithoutAGradientStaysAndKeepsItsPlace) {
  const torch::Tensor idle = Parameter({7});
  const torch::Tensor p = Parameter({1});
  const torch::Tensor alone = Parameter({1});
  AggMo together({idle, p}, AggMoOptions(0.1));
  AggMo single({alone}, AggMoOptions(0.1));
  for (int i = 0; i < 4; ++i) {
    DescendHalfSquare(together, p);
    DescendHalfSquare(single, alone);
  }
  EXPECT_EQ(idle.item<double>(), 7);
  EXPECT_TRUE(torch::equal(p, alone));
  // It joins later with a velocity of its own.
  together.zero_grad();
  (0.5 * idle.square()).sum().backward();
  together.step();
  EXPECT_NEAR(idle.item<double>(), 7 - 0.1 * 7, 1e-14);
}

TEST(AggMoTest, EveryGroupHasItsOwnOptions) {
  const torch::Tensor a = Parameter({1});
  const torch::Tensor b = Parameter({1});
  AggMo optimizer({a}, AggMoOptions(0.1).betas({0}));
  optimizer.add_param_group(torch::optim::OptimizerParamGroup(
      {b}, std::make_unique<AggMoOptions>(
               AggMoOptions(0.5).betas({0}).weight_decay(1.0))));
  optimizer.zero_grad();
  (0.5 * a.square() + 0.5 * b.square()).sum().backward();
  optimizer.step();
  EXPECT_DOUBLE_EQ(a.item<double>(), 0.9);
  EXPECT_DOUBLE_EQ(b.item<double>(), 0);
}

TEST(AggMoTest, ClosureIsEvaluatedWithGradients) {
  const torch::Tensor p = Parameter({1});
  AggMo optimizer({p}, AggMoOptions(0.1));
  torch::NoGradGuard no_grad;
  const torch::Tensor loss = optimizer.step([&] {
    const torch::Tensor value = (0.5 * p.square()).sum();
    value.backward();
    return value;
  });
  EXPECT_DOUBLE_EQ(loss.item<double>(), 0.5);
  EXPECT_NEAR(p.item<double>(), 0.9, 1e-14);
}

TEST(AggMoTest, OptionsThatMakeNoSenseAreErrorsWithTheNumber) {
  const auto make = [](const AggMoOptions& options) {
    return [options] { AggMo({Parameter({1})}, options); };
  };
  EXPECT_THAT(make(AggMoOptions(0)),
              ThrowsMessage<c10::Error>(HasSubstr("got 0")));
  EXPECT_THAT(make(AggMoOptions(-0.5)),
              ThrowsMessage<c10::Error>(HasSubstr("got -0.5")));
  EXPECT_THROW(make(AggMoOptions(std::numeric_limits<double>::quiet_NaN()))(),
               c10::Error);
  EXPECT_THAT(make(AggMoOptions(0.1).betas({})),
              ThrowsMessage<c10::Error>(HasSubstr("at least one beta")));
  for (const double beta :
       {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(make(AggMoOptions(0.1).betas({0, beta}))(), c10::Error)
        << beta;
  }
}

TEST(AggMoTest, SavedMidwayItGoesOnAsIfNothingHadHappened) {
  for (int stop = 0; stop <= 6; ++stop) {
    const torch::Tensor through = Parameter({1, -2, 3});
    const torch::Tensor idle = Parameter({5});
    AggMo one({idle, through}, AggMoOptions(0.05));
    std::stringstream state;
    torch::Tensor saved;
    for (int i = 0; i < 6; ++i) {
      if (i == stop) {
        torch::save(one, state);
        saved = through.detach().clone();
      }
      Descend(one, through);
    }
    if (!saved.defined()) {
      torch::save(one, state);
      saved = through.detach().clone();
    }
    const torch::Tensor resumed = saved.clone().requires_grad_(true);
    AggMo other({Parameter({5}), resumed}, AggMoOptions(0.05));
    // What it did before is forgotten.
    const torch::Tensor copy = resumed.detach().clone();
    Descend(other, resumed);
    {
      torch::NoGradGuard no_grad;
      resumed.copy_(copy);
    }
    torch::load(other, state);
    for (int i = stop; i < 6; ++i) Descend(other, resumed);
    EXPECT_TRUE(torch::equal(through, resumed)) << "stopped at " << stop;
    // And beyond, also where all was done before the save.
    Descend(one, through);
    Descend(other, resumed);
    EXPECT_TRUE(torch::equal(through, resumed)) << "stopped at " << stop;
  }
}

TEST(AggMoTest, OptionsSurviveAnArchive) {
  const AggMoOptions options =
      AggMoOptions(0.25).betas({0, 0.5}).weight_decay(0.125);
  torch::serialize::OutputArchive out;
  options.serialize(out);
  std::stringstream stream;
  out.save_to(stream);
  torch::serialize::InputArchive in;
  in.load_from(stream);
  AggMoOptions read;
  read.serialize(in);
  EXPECT_EQ(read.lr(), 0.25);
  EXPECT_EQ(read.betas(), (std::vector<double>{0, 0.5}));
  EXPECT_EQ(read.weight_decay(), 0.125);
}

}  // namespace
}  // namespace lipschitz
