#include "lipschitz/training/wasserstein_gan.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/training/train.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::FailsWith;
using testing::NewFolder;

constexpr int64_t kPixels = 64;

WassersteinGanConfig Config(WassersteinGanKind kind) {
  WassersteinGanConfig config;
  config.kind = kind;
  config.generator.noise_dim = 4;
  config.generator.channels = 1;
  config.generator.height = config.generator.width = 8;
  config.generator.hidden = 16;
  config.generator.wide_channels = 8;
  config.generator.narrow_channels = 4;
  config.critic_channels = {8, 8};
  config.critic_hidden = 16;
  config.batch_size = 16;
  config.generator_learning_rate = 5e-3;
  config.critic_learning_rate = 5e-3;
  return config;
}

std::vector<WassersteinGanKind> AllKinds() {
  return {WassersteinGanKind::kWgan, WassersteinGanKind::kWganGp,
          WassersteinGanKind::kLwgan};
}

std::shared_ptr<WassersteinGan> Make(const WassersteinGanConfig& config) {
  torch::manual_seed(3);
  auto gan = WassersteinGan::Create(config);
  EXPECT_TRUE(gan.ok()) << gan.status();
  return *gan;
}

// A bright left half and a dark right one, of random brightness.
at::Tensor Images(int64_t n, const RandomSource& random) {
  const at::Tensor brightness =
      0.6 + 0.2 * at::rand({n, 1, 1, 1}, random.generator(),
                           at::TensorOptions(at::kFloat));
  const at::Tensor sign =
      (at::arange(8) < 4).to(at::kFloat).mul(2).sub(1).reshape({1, 1, 1, 8});
  return (brightness * sign).expand({n, 1, 8, 8}).reshape({n, kPixels});
}

struct Outcome {
  TrainingResult result;
  std::vector<at::Tensor> state;
};

// Trains to `steps` of the generator; stops after `stop_after` of them.
absl::StatusOr<Outcome> TrainGan(WassersteinGan& gan, int64_t steps,
                                 const std::string& checkpoint = "",
                                 int64_t stop_after = 0) {
  RandomSource random(7);
  TrainingOptions options;
  options.steps = steps;
  options.learning_rate = gan.config().generator_learning_rate;
  options.report_every = 4;
  options.checkpoint.path = checkpoint;
  options.checkpoint.every_seconds = 1e9;
  int64_t done = 0;
  TrainingHooks hooks;
  hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    for (int i = 0; i < 3; ++i) {
      const absl::Status stepped =
          gan.CriticStep(Images(gan.config().batch_size, random), random);
      if (!stepped.ok()) return stepped;
    }
    ++done;
    return gan.GeneratorLoss(random);
  };
  hooks.report = [&](int64_t) -> absl::StatusOr<Metrics> {
    return gan.TakeCriticMetrics();
  };
  hooks.stop_requested = [&] { return done == stop_after; };
  auto result = Train(gan, gan.generator_optimizer(), random, options, hooks,
                      {&gan.critic_optimizer()});
  if (!result.ok()) return result.status();
  Outcome outcome;
  outcome.result = *std::move(result);
  for (const auto& parameter : gan.parameters()) {
    outcome.state.push_back(parameter.detach().clone());
  }
  for (const auto& buffer : gan.buffers()) {
    outcome.state.push_back(buffer.clone());
  }
  return outcome;
}

double MeanDistance(WassersteinGan& gan) {
  const torch::NoGradGuard no_grad;
  gan.generator()->eval();
  const RandomSource random(11);
  const at::Tensor generated = gan.forward(
      GeneratorNoise(gan.config().generator, 200, random.generator()));
  gan.generator()->train();
  return (generated.mean(0) - Images(200, random).mean(0))
      .norm()
      .item<double>();
}

TEST(WassersteinGan, EveryKindBringsTheImagesNearerToTheData) {
  for (const WassersteinGanKind kind : AllKinds()) {
    SCOPED_TRACE(WassersteinGanName(kind));
    const auto gan = Make(Config(kind));
    const double before = MeanDistance(*gan);
    const auto trained = TrainGan(*gan, 80);
    ASSERT_TRUE(trained.ok()) << trained.status();
    EXPECT_GT(before, 3.0);
    EXPECT_LT(MeanDistance(*gan), 0.5 * before);
    const auto& history = trained->result.history;
    ASSERT_FALSE(history.empty());
    EXPECT_EQ(history[0].metrics.count("critic_estimate"), 1u);
    EXPECT_EQ(history[0].metrics.count("gradient_penalty"),
              kind == WassersteinGanKind::kWganGp ? 1u : 0u);
  }
}

TEST(WassersteinGan, TheConstrainedCriticKeepsItsConstant) {
  const auto gan = Make(Config(WassersteinGanKind::kLwgan));
  ASSERT_TRUE(TrainGan(*gan, 20).ok());
  gan->critic()->eval();
  const auto bound = gan->critic()->LipschitzBound(Norm::kL2);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_LE(*bound, 1.0 + 1e-5);
  EXPECT_GE(*bound, 1.0 - 1e-3);
  // The free ones have no such bound.
  const auto free = Make(Config(WassersteinGanKind::kWganGp));
  ASSERT_TRUE(TrainGan(*free, 20).ok());
  EXPECT_GT(*free->critic()->LipschitzBound(Norm::kL2), 1.1);
}

TEST(WassersteinGan, WeightsStayInTheBox) {
  WassersteinGanConfig config = Config(WassersteinGanKind::kWgan);
  config.clip = 0.02;
  const auto gan = Make(config);
  ASSERT_TRUE(TrainGan(*gan, 3).ok());
  double largest = 0.0;
  for (const at::Tensor& parameter : gan->critic()->parameters()) {
    largest = std::max(largest, parameter.abs().max().item<double>());
  }
  EXPECT_NEAR(largest, 0.02, 1e-7);
  for (const auto& parameter : gan->generator()->named_parameters()) {
    if (parameter.key() != "norm1.weight") continue;
    EXPECT_GT(parameter.value().abs().max().item<double>(), 0.5);
  }
}

TEST(WassersteinGan, TheGeneratorsLossReachesTheGeneratorAlone) {
  for (const WassersteinGanKind kind : AllKinds()) {
    const auto gan = Make(Config(kind));
    gan->GeneratorLoss(RandomSource(1)).backward();
    for (const at::Tensor& parameter : gan->critic()->parameters()) {
      EXPECT_FALSE(parameter.grad().defined());
      EXPECT_TRUE(parameter.requires_grad());
    }
    double sum = 0.0;
    for (const at::Tensor& parameter : gan->generator()->parameters()) {
      ASSERT_TRUE(parameter.grad().defined());
      sum += parameter.grad().abs().sum().item<double>();
    }
    EXPECT_GT(sum, 0.0);
  }
}

TEST(WassersteinGan, AStepOfTheCriticLeavesTheGeneratorsWeights) {
  const auto gan = Make(Config(WassersteinGanKind::kWganGp));
  const at::Tensor before =
      gan->generator()->named_parameters()["linear1.weight"].detach().clone();
  const RandomSource random(2);
  ASSERT_TRUE(gan->CriticStep(Images(16, random), random).ok());
  const at::Tensor after =
      gan->generator()->named_parameters()["linear1.weight"];
  EXPECT_TRUE(at::equal(before, after));
  EXPECT_FALSE(after.grad().defined());
  const Metrics metrics = gan->TakeCriticMetrics();
  EXPECT_NEAR(
      metrics.at("critic_loss"),
      10 * metrics.at("gradient_penalty") - metrics.at("critic_estimate"),
      1e-5);
  EXPECT_TRUE(gan->TakeCriticMetrics().empty());
}

// Stopped in the middle of an interval of reports, and resumed from a new
// process' state: everything ends bit for bit as it would have.
TEST(WassersteinGan, ResumedTrainingEndsAsAnUndisturbedOne) {
  for (const WassersteinGanKind kind : AllKinds()) {
    SCOPED_TRACE(WassersteinGanName(kind));
    const auto whole = TrainGan(*Make(Config(kind)), 10);
    ASSERT_TRUE(whole.ok()) << whole.status();
    const std::string path = NewFolder("gan") + "/c.checkpoint";
    const auto stopped = TrainGan(*Make(Config(kind)), 10, path, 6);
    ASSERT_TRUE(absl::IsCancelled(stopped.status())) << stopped.status();
    const auto gan = Make(Config(kind));
    torch::manual_seed(99);
    const auto resumed = TrainGan(*gan, 10, path);
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(resumed->result.resumed_from, 6);
    ASSERT_EQ(resumed->state.size(), whole->state.size());
    for (size_t i = 0; i < whole->state.size(); ++i) {
      EXPECT_TRUE(at::equal(resumed->state[i], whole->state[i])) << i;
    }
    ASSERT_EQ(resumed->result.history.size(), whole->result.history.size());
    for (size_t i = 0; i < whole->result.history.size(); ++i) {
      EXPECT_EQ(resumed->result.history[i].metrics,
                whole->result.history[i].metrics);
    }
  }
}

TEST(WassersteinGan, ALossThatIsNotFiniteStopsTheTraining) {
  const auto gan = Make(Config(WassersteinGanKind::kWganGp));
  const at::Tensor images =
      at::full({16, kPixels}, std::numeric_limits<float>::infinity());
  EXPECT_TRUE(FailsWith(gan->CriticStep(images, RandomSource(0)),
                        absl::StatusCode::kAborted, {"critic's loss"}));
}

TEST(WassersteinGan, WhatDoesNotFitIsAnError) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const auto expect = [&](void (*change)(WassersteinGanConfig&),
                          const std::string& part) {
    WassersteinGanConfig config = Config(WassersteinGanKind::kLwgan);
    change(config);
    EXPECT_TRUE(FailsWith(WassersteinGan::Create(config), kInvalid, {part}))
        << part;
  };
  expect([](WassersteinGanConfig& c) { c.generator.height = 6; }, "4 must");
  expect([](WassersteinGanConfig& c) { c.critic_channels = {8}; }, "1 numbers");
  expect([](WassersteinGanConfig& c) { c.critic_channels = {7, 8}; }, "7");
  expect([](WassersteinGanConfig& c) { c.batch_size = 1; }, "batch_size");
  expect([](WassersteinGanConfig& c) { c.critic_learning_rate = 0; }, "rates");
  expect([](WassersteinGanConfig& c) { c.beta1 = 1.0; }, "beta1");
  expect([](WassersteinGanConfig& c) { c.clip = -1.0; }, "clip");
  expect([](WassersteinGanConfig& c) { c.penalty = 0.0; }, "penalty");
  for (const std::string& name : WassersteinGanNames()) {
    EXPECT_EQ(WassersteinGanName(*ParseWassersteinGan(name)), name);
  }
  EXPECT_TRUE(FailsWith(ParseWassersteinGan("gan"), kInvalid, {"wgan_gp"}));
}

// The layout of Anil et al.: 4×4 convolutions with stride 2 to 64 and 128
// channels and a hidden layer of 1024.
TEST(WassersteinGan, DefaultCriticIsThePapers) {
  for (const WassersteinGanKind kind : AllKinds()) {
    WassersteinGanConfig config;
    config.kind = kind;
    config.generator.channels = 1;
    config.generator.height = config.generator.width = 28;
    EXPECT_TRUE(config.Validate().ok()) << config.Validate();
    EXPECT_EQ(*CriticNetwork(config).WeightCount(),
              16 * 64 + 16 * 64 * 128 + 6272 * 1024 + 1024);
  }
}

}  // namespace
}  // namespace lipschitz
