#include "lipschitz/transport/wasserstein_estimate.h"

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/transport/exact_wasserstein.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::FailsWith;

torch::Tensor Points(int64_t n, int64_t dim, uint64_t seed) {
  return torch::randn({n, dim}, RandomSource(seed).generator(), torch::kFloat);
}

Sampler Gaussian(int64_t dim, double mean) {
  return [dim, mean](int64_t n, const RandomSource& random) {
    return torch::randn({n, dim}, random.generator()) + mean;
  };
}

WassersteinConfig Small(Norm norm = Norm::kL2) {
  WassersteinConfig config;
  config.ground_norm = norm;
  config.network = CriticNetwork(norm, {16, 16}, ActivationSpec::MaxMin());
  config.steps = 150;
  config.batch_size = 0;
  config.report_every = 25;
  return config;
}

double Exact(const torch::Tensor& p, const torch::Tensor& q, Norm norm) {
  const auto solved = SolveTransport({p, {}}, {q, {}}, norm);
  EXPECT_TRUE(solved.ok()) << solved.status();
  return solved->value;
}

// Images of 1×8×8: those of Q have a bright quarter, so that W1 is about the
// distance of the means, 4.
TEST(EstimateWasserstein, TrainsConvolutionalCriticsToo) {
  const torch::Tensor p = 0.1 * Points(60, 64, 1);
  torch::Tensor quarter = torch::zeros({8, 8});
  quarter.narrow(0, 0, 4).narrow(1, 2, 4).fill_(1.0);
  const torch::Tensor q = 0.1 * Points(60, 64, 2) + quarter.flatten();
  ConvNetConfig network;
  network.channels = 1;
  network.height = network.width = 8;
  ConvStage stage;
  stage.channels = 8;
  stage.kernel = 4;
  stage.stride = 2;
  network.stages = {stage};
  network.hidden = {16};
  network.dense.kind = ConstraintKind::kStiefel;
  WassersteinConfig config = Small();
  config.network = network;
  torch::manual_seed(0);
  const auto estimated = EstimateWasserstein(p, q, config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  EXPECT_NEAR(estimated->estimate.lipschitz_constant, 1.0, 1e-5);
  EXPECT_LE(estimated->estimate.value, Exact(p, q, Norm::kL2) * (1 + 1e-6));
  EXPECT_GE(estimated->estimate.value, 3.6);
  network.width = 10;
  config.network = network;
  EXPECT_TRUE(FailsWith(EstimateWasserstein(p, q, config),
                        absl::StatusCode::kInvalidArgument, {"80", "64"}));
}

// The claim: never above, and near where the critic can be found.
TEST(EstimateWasserstein, NeverExceedsTheExactValueOnItsSamples) {
  for (const Norm norm : kAllNorms) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const torch::Tensor p = Points(40, 2, 2 * seed);
      const torch::Tensor q = Points(50, 2, 2 * seed + 1) * 0.5 + 1.5;
      torch::manual_seed(seed);
      const auto estimated = EstimateWasserstein(p, q, Small(norm));
      ASSERT_TRUE(estimated.ok()) << estimated.status();
      const double exact = Exact(p, q, norm);
      EXPECT_LE(estimated->estimate.value, exact + 1e-5) << NormName(norm);
      EXPECT_GE(estimated->estimate.value, 0.85 * exact) << NormName(norm);
      EXPECT_FALSE(estimated->held_out);
      EXPECT_EQ(estimated->p_samples, 40);
      EXPECT_EQ(estimated->q_samples, 50);
      EXPECT_EQ(estimated->p_validation_samples, 0);
    }
  }
}

// Those that chose the critic are samples too: of a measure and itself no part
// may be taken.
TEST(EstimateWasserstein, WithoutATestPartIsAboutAllSamples) {
  const torch::Tensor p = Points(40, 2, 1);
  WassersteinConfig config = Small();
  config.validation_share = 0.3;
  torch::manual_seed(0);
  const auto same = EstimateWasserstein(p, p.flip(0), config);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_FALSE(same->held_out);
  EXPECT_NEAR(same->estimate.value, 0.0, 1e-6);
  EXPECT_EQ(same->p_samples, 40);
  EXPECT_EQ(same->p_validation_samples, 12);
  const torch::Tensor q = Points(50, 2, 2) * 0.5 + 1.5;
  const auto apart = EstimateWasserstein(p, q, config);
  ASSERT_TRUE(apart.ok()) << apart.status();
  EXPECT_LE(apart->estimate.value, Exact(p, q, Norm::kL2) + 1e-5);
}

// Whatever the critic is, dividing by its proven constant makes a bound.
TEST(EstimateWasserstein, BoundsForEveryConstraintAndActivation) {
  const torch::Tensor p = Points(30, 3, 1);
  const torch::Tensor q = Points(30, 3, 2) + 0.5;
  const double exact = Exact(p, q, Norm::kL2);
  for (const ConstraintKind kind :
       {ConstraintKind::kNone, ConstraintKind::kBjorck, ConstraintKind::kPolar,
        ConstraintKind::kSpectral, ConstraintKind::kParseval}) {
    for (const ActivationSpec& activation :
         {ActivationSpec::Relu(), ActivationSpec::GroupSort(4)}) {
      WassersteinConfig config = Small();
      config.mlp().constraint.kind = kind;
      config.mlp().activation = activation;
      config.steps = 30;
      const auto estimated = EstimateWasserstein(p, q, config);
      ASSERT_TRUE(estimated.ok()) << estimated.status();
      EXPECT_LE(estimated->estimate.value, exact + 1e-5)
          << ConstraintName(kind) << " " << activation.Name();
    }
  }
}

TEST(EstimateWasserstein, FindsTranslations) {
  // Gaussians a vector of length 2 apart: W1 = 2.
  WassersteinConfig config = Small();
  config.batch_size = 64;
  config.test_samples = 4000;
  const auto estimated =
      EstimateWasserstein(Gaussian(4, 1.0), Gaussian(4, 0.0), config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  EXPECT_TRUE(estimated->held_out);
  EXPECT_EQ(estimated->p_samples, 4000);
  EXPECT_NEAR(estimated->estimate.value, 2.0, 0.1);
  EXPECT_GT(estimated->estimate.standard_error, 0.0);
  // 1.96: the 97.5 % point of Student's distribution with so many degrees.
  EXPECT_NEAR((estimated->upper - estimated->lower) /
                  estimated->estimate.standard_error,
              2 * 1.96, 2e-3);
  EXPECT_LE(estimated->lower, 2.0);
}

TEST(EstimateWasserstein, FindsShells) {
  const SphericalShells sphere{3, 1.0, {0.0}};
  const SphericalShells centre{3, 0.0, {0.0}};
  WassersteinConfig config = Small();
  config.mlp().activation = ActivationSpec::FullSort();
  config.batch_size = 64;
  const auto estimated = EstimateWasserstein(
      [&](int64_t n, const RandomSource& r) { return sphere.Sample(n, r); },
      [&](int64_t n, const RandomSource& r) { return centre.Sample(n, r); },
      config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  EXPECT_GT(estimated->estimate.value, 0.9);
  EXPECT_LE(estimated->estimate.value, 1.0 + 1e-5);
}

TEST(EstimateWasserstein, SplitsFixedSamples) {
  WassersteinConfig config = Small();
  config.validation_share = 0.2;
  config.test_share = 0.3;
  config.batch_size = 16;
  const auto estimated =
      EstimateWasserstein(Points(100, 2, 1), Points(50, 2, 2) + 1, config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  EXPECT_TRUE(estimated->held_out);
  EXPECT_EQ(estimated->p_samples, 30);
  EXPECT_EQ(estimated->q_samples, 15);
  EXPECT_EQ(estimated->p_validation_samples, 20);
  EXPECT_EQ(estimated->q_validation_samples, 10);
  EXPECT_EQ(estimated->step % config.report_every, 0);
}

// Memorised samples say nothing about the distributions: between two samples of
// one of them the estimate on what was held out is about 0, that on the samples
// themselves is not.
TEST(EstimateWasserstein, HeldOutSamplesAreNotFooled) {
  const torch::Tensor p = Points(60, 8, 1);
  const torch::Tensor q = Points(60, 8, 2);
  WassersteinConfig config = Small();
  const auto on_samples = EstimateWasserstein(p, q, config);
  config.test_share = 0.5;
  const auto held_out = EstimateWasserstein(p, q, config);
  ASSERT_TRUE(on_samples.ok() && held_out.ok());
  EXPECT_GT(on_samples->estimate.value, 0.8);
  EXPECT_LT(held_out->estimate.value, 0.5);
}

TEST(EstimateWasserstein, TestsOnSamplesThatAreGiven) {
  const TwoSamples training = {Points(80, 2, 1), Points(60, 2, 2) + 1};
  const TwoSamples test = {Points(3000, 2, 3), Points(2500, 2, 4) + 1};
  WassersteinConfig config = Small();
  torch::manual_seed(0);
  const auto estimated = EstimateWasserstein(training, test, config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  EXPECT_TRUE(estimated->held_out);
  EXPECT_EQ(estimated->p_samples, 3000);
  EXPECT_EQ(estimated->q_samples, 2500);
  // The training is that of the training's samples alone.
  torch::manual_seed(0);
  auto alone = EstimateWasserstein(training.p, training.q, config);
  ASSERT_TRUE(alone.ok()) << alone.status();
  const auto again =
      EstimateWithCritic(*alone->critic, test.p, test.q, Norm::kL2);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(estimated->estimate.value, again->value);
  EXPECT_NE(estimated->estimate.value, alone->estimate.value);

  const auto invalid = absl::StatusCode::kInvalidArgument;
  const TwoSamples wrong = {Points(8, 3, 1), Points(8, 3, 2)};
  EXPECT_TRUE(FailsWith(EstimateWasserstein(training, wrong, config), invalid,
                        {"2", "3"}));
  config.test_share = 0.2;
  EXPECT_TRUE(FailsWith(EstimateWasserstein(training, test, config), invalid,
                        {"test_share", "0.2"}));
}

TEST(EstimateWasserstein, StopsEarlyAndKeepsTheBest) {
  // Of one distribution: validation soon gets no better.
  WassersteinConfig config = Small();
  config.steps = 4000;
  config.report_every = 10;
  config.patience = 5;
  config.validation_share = 0.5;
  const auto estimated =
      EstimateWasserstein(Points(60, 8, 1), Points(60, 8, 2), config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  EXPECT_LT(estimated->training.steps, 4000);
  EXPECT_EQ(estimated->training.steps, estimated->step + 5 * 10);
  double best = -1e9;
  int64_t best_step = 0;
  for (const HistoryEntry& entry : estimated->training.history) {
    if (entry.metrics.at("validation_estimate") > best) {
      best = entry.metrics.at("validation_estimate");
      best_step = entry.step;
    }
  }
  EXPECT_EQ(estimated->step, best_step);
}

TEST(EstimateWasserstein, IsInTheUnitsOfTheSamples) {
  const torch::Tensor p = Points(64, 2, 1).to(torch::kDouble);
  const torch::Tensor q = Points(64, 2, 2).to(torch::kDouble) + 3;
  WassersteinConfig config = Small();
  config.standardise = true;
  for (const double unit : {1e-4, 1.0, 1e4}) {
    torch::manual_seed(0);
    const torch::Tensor far_p = p * unit + 100 * unit;
    const torch::Tensor far_q = q * unit + 100 * unit;
    auto estimated = EstimateWasserstein(far_p, far_q, config);
    ASSERT_TRUE(estimated.ok()) << estimated.status();
    const double exact = Exact(far_p, far_q, Norm::kL2);
    EXPECT_LE(estimated->estimate.value, exact * (1 + 1e-6));
    EXPECT_GT(estimated->estimate.value, 0.97 * exact) << unit;
    // The critic that is returned gives the same value.
    const auto mean = [&](const torch::Tensor& x) {
      torch::NoGradGuard no_grad;
      return estimated->critic
          ->forward(
              ((x - estimated->shift) / estimated->scale).to(torch::kFloat))
          .mean()
          .item<double>();
    };
    EXPECT_NEAR((mean(far_p) - mean(far_q)) * estimated->scale /
                    estimated->estimate.lipschitz_constant,
                estimated->estimate.value, 1e-5 * exact);
  }
}

// Of any samples, those that the critic has not seen too.
TEST(TransformCritic, ComesCloserToTheExactValueThanTheCritic) {
  for (const Norm norm : kAllNorms) {
    for (const bool standardise : {false, true}) {
      const torch::Tensor p = 20 * Points(60, 6, 1) + 50;
      const torch::Tensor q = 20 * Points(70, 6, 2) + 60;
      WassersteinConfig config = Small(norm);
      config.standardise = standardise;
      config.test_share = 0.25;
      torch::manual_seed(0);
      const auto estimated = EstimateWasserstein(p, q, config);
      ASSERT_TRUE(estimated.ok()) << estimated.status();
      Sequential critic = estimated->critic;
      auto own = EstimateWithCritic(*critic, estimated->Standardised(p),
                                    estimated->Standardised(q), norm);
      ASSERT_TRUE(own.ok()) << own.status();
      own->Rescale(estimated->scale);
      const auto transformed = TransformCritic(*estimated, p, q, norm);
      ASSERT_TRUE(transformed.ok()) << transformed.status();
      const double exact = Exact(p, q, norm);
      EXPECT_LE(transformed->lower_bound, exact * (1 + 1e-9))
          << NormName(norm) << standardise;
      EXPECT_GE(transformed->lower_bound, own->LowerBound() - 1e-9 * exact)
          << NormName(norm) << standardise;
      // More than a quarter of what the critic leaves.
      EXPECT_GE(transformed->lower_bound,
                0.75 * own->LowerBound() + 0.25 * exact)
          << NormName(norm) << standardise;
    }
  }
}

TEST(TransformCritic, TakesAConstantCritic) {
  WassersteinConfig config = Small();
  config.steps = 1;
  config.mlp().constraint.kind = ConstraintKind::kNone;
  auto estimated =
      EstimateWasserstein(Points(20, 2, 1), Points(20, 2, 2), config);
  ASSERT_TRUE(estimated.ok()) << estimated.status();
  {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : estimated->critic->parameters()) {
      parameter.zero_();
    }
  }
  estimated->estimate.lipschitz_constant = 0.0;
  const torch::Tensor p = Points(30, 2, 3);
  const torch::Tensor q = Points(30, 2, 4) + 2;
  const auto transformed = TransformCritic(*estimated, p, q, Norm::kL2);
  ASSERT_TRUE(transformed.ok()) << transformed.status();
  // Each point's distance to the nearest of the other side, and more.
  EXPECT_GT(transformed->lower_bound,
            torch::cdist(p, q).amin(1).mean().item<double>() - 1e-6);
  EXPECT_TRUE(
      FailsWith(TransformCritic(*estimated, p, Points(3, 5, 1), Norm::kL2),
                absl::StatusCode::kInvalidArgument, {"dimension 5"}));
  EXPECT_TRUE(FailsWith(
      TransformCritic(*estimated, Points(4, 5, 2), Points(3, 5, 1), Norm::kL2),
      absl::StatusCode::kInvalidArgument, {"dimension 2", "have 5"}));
}

TEST(EstimateWasserstein, SameSeedSameResult) {
  WassersteinConfig config = Small();
  config.batch_size = 16;
  config.steps = 40;
  config.test_share = 0.25;
  const auto run = [&](uint64_t seed) {
    torch::manual_seed(5);
    config.seed = seed;
    return EstimateWasserstein(Points(80, 2, 1), Points(80, 2, 2) + 1, config)
        ->estimate.value;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// They may be a generator's output, whose graph is not this training's.
TEST(EstimateWasserstein, SamplesWithGradientsAreConstants) {
  WassersteinConfig config = Small();
  config.standardise = true;
  config.steps = 5;
  const auto estimate = [&](int64_t batch_size, bool gradients) {
    config.batch_size = batch_size;
    torch::manual_seed(5);
    const torch::Tensor p = Points(40, 2, 1).requires_grad_(gradients);
    const torch::Tensor q = (Points(40, 2, 2).requires_grad_(gradients)) + 1;
    const auto result = EstimateWasserstein(p, q, config);
    EXPECT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(p.grad().defined());
    return result->estimate.value;
  };
  for (const int64_t batch_size : {0, 16}) {
    EXPECT_EQ(estimate(batch_size, true), estimate(batch_size, false));
  }
}

TEST(EstimateWasserstein, ResumesWhereItWasStopped) {
  for (const bool fixed : {true, false}) {
    const std::string path =
        absl::StrCat(::testing::TempDir(), "estimate_", fixed, ".checkpoint");
    WassersteinConfig config = Small();
    config.batch_size = 16;
    config.steps = 60;
    config.report_every = 10;
    config.validation_share = 0.25;
    config.validation_samples = 50;
    config.patience = 3;
    config.test_samples = 200;
    const auto run = [&](const WassersteinHooks& hooks) {
      torch::manual_seed(3);
      return fixed ? EstimateWasserstein(Points(80, 4, 1), Points(80, 4, 2),
                                         config, hooks)
                   : EstimateWasserstein(Gaussian(4, 0.2), Gaussian(4, 0.0),
                                         config, hooks);
    };
    const auto whole = run({});
    ASSERT_TRUE(whole.ok()) << whole.status();

    config.checkpoint.path = path;
    config.checkpoint.fingerprint = "f";
    int64_t steps = 0;
    WassersteinHooks stopping;
    stopping.stop_requested = [&] { return ++steps == 23; };
    ASSERT_EQ(run(stopping).status().code(), absl::StatusCode::kCancelled);
    torch::manual_seed(99);  // the checkpoint knows better
    const auto resumed = run({});
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(resumed->training.resumed_from, 23);
    EXPECT_EQ(resumed->estimate.value, whole->estimate.value);
    EXPECT_EQ(resumed->step, whole->step);
  }
}

TEST(EstimateWasserstein, ShowsTheCriticBeforeItsFirstStep) {
  WassersteinConfig config = Small();
  config.batch_size = 16;
  config.steps = 20;
  const torch::Tensor p = Points(40, 4, 1);
  const torch::Tensor q = Points(40, 4, 2);
  MlpConfig network = config.mlp();
  network.input_dim = 4;
  torch::manual_seed(3);
  Sequential untrained = *MakeMlp(network);
  untrained->eval();

  torch::manual_seed(3);
  const auto undisturbed = EstimateWasserstein(p, q, config);
  ASSERT_TRUE(undisturbed.ok()) << undisturbed.status();
  int seen = 0;
  WassersteinHooks hooks;
  hooks.initial = [&](SequentialImpl& critic) {
    ++seen;
    EXPECT_FALSE(critic.is_training());
    EXPECT_TRUE(critic.forward(p).equal(untrained->forward(p)));
    return absl::OkStatus();
  };
  torch::manual_seed(3);
  const auto watched = EstimateWasserstein(p, q, config, hooks);
  ASSERT_TRUE(watched.ok()) << watched.status();
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(watched->estimate.value, undisturbed->estimate.value);

  hooks.initial = [](SequentialImpl&) { return absl::DataLossError("looked"); };
  EXPECT_TRUE(FailsWith(EstimateWasserstein(p, q, config, hooks),
                        absl::StatusCode::kDataLoss, {"looked"}));
}

TEST(EstimateWasserstein, RefusesConfigsThatMakeNoSense) {
  const torch::Tensor p = Points(20, 2, 1);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto with = [&](const std::function<void(WassersteinConfig&)>& change) {
    WassersteinConfig config = Small();
    change(config);
    return EstimateWasserstein(p, p, config);
  };
  EXPECT_TRUE(FailsWith(with([](auto& c) {
                          c.validation_share = 0.5;
                          c.test_share = 0.5;
                        }),
                        invalid, {"0.5"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.test_share = -0.1; }), invalid,
                        {"test_share", "-0.1"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.test_share = 0.01; }), invalid,
                        {"P", "20 samples are too few"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.test_share = 0.05; }), invalid,
                        {"P has 1 held-out sample", "two of each side"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.learning_rate = -1.0; }), invalid,
                        {"learning_rate", "-1"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.learning_rate = NAN; }), invalid,
                        {"learning_rate", "nan"}));
  EXPECT_TRUE(
      FailsWith(with([](auto& c) { c.batch_size = -1; }), invalid, {"-1"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.confidence = 1.0; }), invalid,
                        {"confidence", "1"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.mlp().output_dim = 2; }), invalid,
                        {"one output", "2"}));
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.mlp().input_dim = 3; }), invalid,
                        {"dimension 3", "2"}));
  EXPECT_TRUE(
      FailsWith(with([](auto& c) { c.steps = 0; }), invalid, {"steps"}));
  // Nothing to lose it over.
  EXPECT_TRUE(FailsWith(with([](auto& c) { c.patience = 3; }), invalid,
                        {"patience of 3", "validation"}));
  // Samplers have no "all samples".
  EXPECT_TRUE(
      FailsWith(EstimateWasserstein(Gaussian(2, 0), Gaussian(2, 1), Small()),
                invalid, {"batch_size"}));
}

TEST(EstimateWasserstein, RefusesSamplesThatDoNotFit) {
  const torch::Tensor p = Points(20, 2, 1);
  torch::Tensor wrong = Points(20, 2, 2);
  wrong[7][1] = std::nan("");
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(FailsWith(EstimateWasserstein(p, wrong, Small()), invalid,
                        {"Q", "row 7", "not finite"}));
  EXPECT_TRUE(FailsWith(EstimateWasserstein(p, Points(20, 3, 1), Small()),
                        invalid, {"dimension 2", "dimension 3"}));
  EXPECT_TRUE(FailsWith(EstimateWasserstein(torch::zeros({0, 2}), p, Small()),
                        invalid, {"P", "(0, 2)"}));
}

TEST(CriticNetwork, HasConstantOneInItsNorm) {
  for (const Norm norm : kAllNorms) {
    torch::manual_seed(1);
    MlpConfig config = CriticNetwork(norm, {12, 12}, ActivationSpec::MaxMin());
    config.input_dim = 5;
    auto critic = MakeMlp(config);
    ASSERT_TRUE(critic.ok()) << critic.status();
    (*critic)->eval();
    const auto bound = (*critic)->LipschitzBound(norm, Norm::kLinf);
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_LE(*bound, 1.0 + 1e-5) << NormName(norm);
  }
}

}  // namespace
}  // namespace lipschitz
