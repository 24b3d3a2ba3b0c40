#include "lipschitz/transport/dual_estimate.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Matrix;
using ::testing::HasSubstr;

class MysteryImpl : public LayerImpl {
 public:
  MysteryImpl() : LayerImpl("enigma") {}
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
};

// x ↦ Σ x, which notes how many samples it was given at once.
class SumImpl : public LayerImpl {
 public:
  SumImpl() : LayerImpl("sum") {}
  torch::Tensor forward(const torch::Tensor& x) override {
    most = std::max(most, x.size(0));
    return x.sum(1, /*keepdim=*/true);
  }
  absl::StatusOr<BoundTable> LipschitzBounds() override {
    return BoundTable::SameNorm(1.0);
  }
  int64_t most = 0;
};

Linear Affine(const at::Tensor& weight, double bias = 0,
              ConstraintKind kind = ConstraintKind::kNone) {
  LinearConfig config;
  config.in_features = weight.size(1);
  config.out_features = weight.size(0);
  config.constraint.kind = kind;
  Linear layer(config);
  torch::NoGradGuard no_grad;
  layer->weight.copy_(weight);
  layer->bias.fill_(bias);
  return layer;
}

// |x| = max − min of ±x/√2, over √2.
Sequential AbsoluteValue() {
  const double h = std::sqrt(0.5);
  Sequential network;
  network->push_back("a", Affine(Matrix({{h}, {-h}})).ptr());
  network->push_back(
      "b", std::make_shared<ActivationImpl>(ActivationSpec::MaxMin()));
  network->push_back("c", Affine(Matrix({{-h, h}})).ptr());
  return network;
}

Sequential RandomCritic(ConstraintKind kind, int64_t input, int64_t seed,
                        double constant = 1) {
  MlpConfig config;
  config.input_dim = input;
  config.hidden = {8, 6};
  config.activation =
      seed % 2 == 0 ? ActivationSpec::MaxMin() : ActivationSpec::Relu();
  config.constraint.kind = kind;
  config.lipschitz_constant = constant;
  torch::manual_seed(seed);
  Sequential network = *MakeMlp(config);
  torch::NoGradGuard no_grad;
  for (auto& parameter : network->parameters()) parameter.normal_();
  return network;
}

// W1 of two samples of equal size on the line: sorted against sorted.
double ExactOnTheLine(const at::Tensor& p, const at::Tensor& q) {
  const auto sorted = [](const at::Tensor& x) {
    return std::get<0>(x.to(at::kDouble).reshape({-1}).sort(0));
  };
  return (sorted(p) - sorted(q)).abs().mean().item<double>();
}

std::vector<ConstraintKind> AllKinds() {
  std::vector<ConstraintKind> kinds;
  for (const std::string& name : ConstraintNames()) {
    kinds.push_back(*ParseConstraint(name));
  }
  return kinds;
}

DualEstimate Estimate(LayerImpl& critic, const at::Tensor& p,
                      const at::Tensor& q, Norm norm = Norm::kL2) {
  auto estimate = EstimateWithCritic(critic, p, q, norm);
  EXPECT_TRUE(estimate.ok()) << estimate.status();
  return *estimate;
}

// A convolution in float64 unfolds its batch: of all test images that would be
// gigabytes.
TEST(DualEstimateTest, FewSamplesAreEvaluatedAtATime) {
  SumImpl critic;
  const torch::Tensor p = torch::ones({1000, 1}, torch::kDouble) * 3;
  const torch::Tensor q = torch::ones({700, 1}, torch::kDouble);
  const auto estimate = EstimateWithCritic(critic, p, q, Norm::kL2);
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_EQ(estimate->value, 2.0);
  EXPECT_GT(critic.most, 0);
  EXPECT_LE(critic.most, 256);
  EXPECT_TRUE(at::equal(CriticValues(critic, p), p.squeeze(1)));
  EXPECT_LE(critic.most, 256);
}

TEST(DualEstimateTest, TranslationIsMeasuredExactly) {
  Linear critic = Affine(Matrix({{1}}), 5);
  const at::Tensor q = torch::randn({50, 1});
  const DualEstimate estimate = Estimate(*critic, q + 3, q);
  EXPECT_NEAR(estimate.value, 3, 1e-6);
  EXPECT_NEAR(estimate.lipschitz_constant, 1, 1e-12);
}

// The means of the same values in another order: rounding alone tells them
// apart.
TEST(DualEstimateTest, LowerBoundIsNotAboveZeroForTheSameSamplesShuffled) {
  int above = 0;
  for (int64_t seed = 0; seed < 40; ++seed) {
    MlpConfig config;
    config.input_dim = 2;
    config.hidden = {64, 64};
    config.activation = ActivationSpec::GroupSort(4);
    config.constraint.kind = ConstraintKind::kStiefel;
    torch::manual_seed(static_cast<uint64_t>(seed));
    Sequential critic = *MakeMlp(config);
    torch::Tensor p = torch::randn({1000, 2}, torch::kDouble);
    if (seed % 2 == 1) p[0].fill_(1e9);
    const DualEstimate estimate =
        Estimate(*critic, p, p.index_select(0, torch::randperm(1000)));
    above += estimate.value > 0.0;
    EXPECT_LE(estimate.LowerBound(), 0.0);
    EXPECT_GE(estimate.rounding, std::abs(estimate.value));
    // Nine digits of a distance that is as large as the samples are spread.
    EXPECT_LT(estimate.rounding,
              1e-9 * (p - p.mean(0)).norm(2, 1).mean().item<double>());
  }
  // Otherwise it would be no test.
  EXPECT_GT(above, 3);
}

TEST(DualEstimateTest, LowerBoundIsNotAboveATranslationThatRoundingHides) {
  for (int64_t seed = 0; seed < 20; ++seed) {
    MlpConfig config;
    config.input_dim = 2;
    config.hidden = {32, 32};
    config.activation = ActivationSpec::MaxMin();
    config.constraint.kind = ConstraintKind::kStiefel;
    torch::manual_seed(static_cast<uint64_t>(seed));
    Sequential critic = *MakeMlp(config);
    const torch::Tensor p =
        torch::cat({torch::randn({200, 2}, torch::kDouble) * 1e-3,
                    torch::full({1, 2}, 1e9, torch::kDouble)});
    const torch::Tensor q = p + 1e-9;
    const double exact = (p - q).norm(2, 1).mean().item<double>();
    for (const DualEstimate& estimate :
         {Estimate(*critic, p, q), Estimate(*critic, q, p)}) {
      EXPECT_LE(estimate.LowerBound(), exact);
    }
  }
}

TEST(DualEstimateTest, RoundingOfAConvolutionIsKnown) {
  ConvNetConfig config = SmallConvNet(1, 8, 8, 1);
  config.activation = ActivationSpec::MaxMin();
  config.convolution.kind = ConvolutionConstraintKind::kOrthogonal;
  config.dense.kind = ConstraintKind::kStiefel;
  auto critic = MakeNetwork(config);
  ASSERT_TRUE(critic.ok()) << critic.status();
  const DualEstimate estimate =
      Estimate(**critic, torch::rand({20, 64}), torch::rand({20, 64}));
  EXPECT_GT(estimate.rounding, 0.0);
  EXPECT_LT(estimate.rounding, 1e-8);
}

// A layer of a user's own may compute anything.
TEST(DualEstimateTest, RoundingOfAnUnknownLayerIsUnbounded) {
  class Halved : public LayerImpl {
   public:
    Halved() : LayerImpl("halved") {}
    torch::Tensor forward(const torch::Tensor& x) override {
      return x.sum(1, /*keepdim=*/true) / 2.0;
    }
    absl::StatusOr<BoundTable> LipschitzBounds() override {
      return BoundTable::SameNorm(1.0);
    }
  };
  Halved critic;
  const DualEstimate estimate =
      Estimate(critic, torch::ones({3, 1}), torch::zeros({3, 1}));
  EXPECT_NEAR(estimate.value, 0.5, 1e-12);
  EXPECT_EQ(estimate.rounding, std::numeric_limits<double>::infinity());
  EXPECT_EQ(estimate.LowerBound(), -std::numeric_limits<double>::infinity());
}

TEST(DualEstimateTest, RescaledItIsTheSameInOtherUnits) {
  DualEstimate estimate;
  estimate.value = 3.0;
  estimate.standard_error = 0.5;
  estimate.rounding = 1e-12;
  estimate.Rescale(10.0);
  EXPECT_EQ(estimate.value, 30.0);
  EXPECT_EQ(estimate.standard_error, 5.0);
  EXPECT_GT(estimate.rounding, 1e-11);
  EXPECT_LT(estimate.rounding, 1e-11 + 1e-14);
  EXPECT_LT(estimate.LowerBound(), 30.0 - 1e-11);
}

TEST(DualEstimateTest, AbsoluteValueMeasuresTheEndsAgainstTheMiddle) {
  const at::Tensor ends = torch::tensor({{-1.f}, {1.f}, {-1.f}, {1.f}});
  EXPECT_NEAR(Estimate(*AbsoluteValue(), ends, torch::zeros({3, 1})).value, 1,
              1e-6);
  // The sign says which of the two the critic prefers.
  EXPECT_NEAR(Estimate(*AbsoluteValue(), torch::zeros({3, 1}), ends).value, -1,
              1e-6);
}

TEST(DualEstimateTest, GroundNormChoosesTheConstant) {
  Linear critic = Affine(Matrix({{3, -4}}));
  const at::Tensor p = torch::randn({5, 2});
  const at::Tensor q = torch::randn({5, 2});
  EXPECT_NEAR(Estimate(*critic, p, q, Norm::kL1).lipschitz_constant, 4, 1e-9);
  EXPECT_NEAR(Estimate(*critic, p, q, Norm::kL2).lipschitz_constant, 5, 1e-9);
  EXPECT_NEAR(Estimate(*critic, p, q, Norm::kLinf).lipschitz_constant, 7, 1e-9);
}

TEST(DualEstimateTest, SizeOfTheCriticDoesNotMatter) {
  const at::Tensor p = torch::randn({20, 3});
  const at::Tensor q = torch::randn({30, 3}) + 1;
  for (const ConstraintKind kind : AllKinds()) {
    Sequential plain = RandomCritic(kind, 3, 4);
    Sequential large = RandomCritic(kind, 3, 4, 1000);
    // The same map times 1000, but for the biases inside: without them.
    torch::NoGradGuard no_grad;
    for (Sequential network : {plain, large}) {
      for (auto& parameter : network->named_parameters()) {
        if (parameter.value().dim() == 1) parameter.value().zero_();
      }
    }
    const DualEstimate a = Estimate(*plain, p, q);
    const DualEstimate b = Estimate(*large, p, q);
    EXPECT_NEAR(b.lipschitz_constant / a.lipschitz_constant, 1000, 1e-6)
        << ConstraintName(kind);
    EXPECT_NEAR(a.value, b.value, 1e-12) << ConstraintName(kind);
    EXPECT_NEAR(a.standard_error, b.standard_error, 1e-12);
    EXPECT_NE(a.value, 0);
  }
  // An affine critic that was let grow, as one whose constraint broke.
  const double one = Estimate(*Affine(Matrix({{.6, .8, 0}})), p, q).value;
  EXPECT_NEAR(Estimate(*Affine(Matrix({{600, 800, 0}})), p, q).value, one,
              1e-6);
}

TEST(DualEstimateTest, NeverExceedsTheDistanceOfTheSamples) {
  double closest = 0;
  for (const ConstraintKind kind : AllKinds()) {
    for (int64_t seed = 0; seed < 10; ++seed) {
      Sequential critic = RandomCritic(kind, 1, seed);
      torch::manual_seed(100 + seed);
      const at::Tensor p = torch::randn({16, 1});
      const at::Tensor q = 2 * torch::rand({16, 1}) + 0.3 * double(seed);
      const double exact = ExactOnTheLine(p, q);
      for (const Norm norm : kAllNorms) {
        const double value = Estimate(*critic, p, q, norm).value;
        EXPECT_LE(std::abs(value), exact + 1e-12)
            << ConstraintName(kind) << " " << seed;
        closest = std::max(closest, std::abs(value) / exact);
      }
    }
  }
  // Some come near, so that the test can fail.
  EXPECT_GT(closest, 0.5);
  // And the optimal critic attains it.
  const at::Tensor p = torch::randn({16, 1});
  EXPECT_NEAR(Estimate(*Affine(Matrix({{-2}})), p - 7, p).value,
              ExactOnTheLine(p - 7, p), 1e-6);
}

TEST(DualEstimateTest, StandardErrorIsThatOfADifferenceOfMeans) {
  Linear critic = Affine(Matrix({{2}}));
  const at::Tensor p = torch::tensor({{0.f}, {2.f}, {4.f}});
  const at::Tensor q = torch::tensor({{1.f}, {2.f}});
  // Variances 4 and 1/2 of the samples themselves: the factor 2 cancels.
  const DualEstimate estimate = Estimate(*critic, p, q);
  EXPECT_NEAR(estimate.standard_error, std::sqrt(4.0 / 3 + 0.5 / 2), 1e-9);
  EXPECT_EQ(estimate.degrees_of_freedom, 1);
}

TEST(DualEstimateTest, OneSampleSaysNothingAboutItsDistribution) {
  Linear critic = Affine(Matrix({{2}}));
  const at::Tensor many = torch::tensor({{0.f}, {2.f}, {4.f}});
  const at::Tensor one = torch::tensor({{1.f}});
  for (const auto& [p, q] :
       {std::pair(one, one), std::pair(many, one), std::pair(one, many)}) {
    const DualEstimate estimate = Estimate(*critic, p, q);
    EXPECT_TRUE(std::isfinite(estimate.value));
    const Interval interval = IntervalOf(estimate, 0.95);
    EXPECT_EQ(interval.lower, -std::numeric_limits<double>::infinity());
    EXPECT_EQ(interval.upper, std::numeric_limits<double>::infinity());
  }
}

// Samples of one distribution: W1 is 0, and a lower end above it is an error
// that may happen to 2.5 % of the intervals.
TEST(DualEstimateTest, IntervalCoversTheTruthWithFewSamples) {
  Linear critic = Affine(Matrix({{1}}));
  const double confidence = 0.95;
  for (const int64_t n : {2, 3, 5, 20}) {
    for (const int64_t m : {int64_t{2}, n}) {
      torch::manual_seed(1000 * n + m);
      constexpr int kTrials = 2000;
      int above = 0;
      for (int i = 0; i < kTrials; ++i) {
        const Interval interval = IntervalOf(
            Estimate(*critic, torch::randn({n, 1}), torch::randn({m, 1})),
            confidence);
        if (interval.lower > 0) ++above;
      }
      // Within four standard deviations of 2.5 %, or below.
      EXPECT_LE(above, 0.025 * kTrials + 4 * std::sqrt(0.025 * kTrials))
          << n << " " << m;
      if (n == 20 && m == n) {
        EXPECT_GE(above, 0.025 * kTrials - 4 * std::sqrt(0.025 * kTrials));
      }
    }
  }
}

TEST(DualEstimateTest, ConstantCriticGivesZero) {
  // Means of 0.1 over 7 and over 10 samples round differently.
  const DualEstimate estimate =
      Estimate(*Affine(Matrix({{0, 0}}), 0.1), torch::randn({7, 2}),
               torch::randn({10, 2}));
  EXPECT_EQ(estimate.value, 0);
  EXPECT_EQ(estimate.standard_error, 0);
  EXPECT_EQ(estimate.lipschitz_constant, 0);
  EXPECT_EQ(estimate.LowerBound(), 0.0);
}

TEST(DualEstimateTest, CriticIsLeftAsItWas) {
  for (const ConstraintKind kind : AllKinds()) {
    for (const bool training : {true, false}) {
      Sequential critic = RandomCritic(kind, 3, 2);
      critic->train(training);
      const at::Tensor x = torch::randn({5, 3});
      if (training) critic->forward(x);  // spectral: u and v move
      std::vector<at::Tensor> before;
      for (const auto& p : critic->parameters()) {
        before.push_back(p.detach().clone());
      }
      for (const auto& b : critic->buffers()) before.push_back(b.clone());
      // Optimisers hold the parameters, so they must stay the same objects.
      const std::vector<at::Tensor> held = critic->parameters();
      Estimate(*critic, x, x + 1);
      std::vector<at::Tensor> after = critic->parameters();
      for (size_t i = 0; i < held.size(); ++i) {
        EXPECT_TRUE(held[i].is_same(after[i]));
        EXPECT_TRUE(after[i].requires_grad());
      }
      for (const auto& b : critic->buffers()) after.push_back(b);
      ASSERT_EQ(after.size(), before.size());
      for (size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].scalar_type(), at::kFloat);
        EXPECT_TRUE(torch::equal(after[i], before[i])) << ConstraintName(kind);
      }
      for (const auto& module : critic->modules()) {
        EXPECT_EQ(module->is_training(), training);
      }
      EXPECT_EQ(critic->forward(x).scalar_type(), at::kFloat);
    }
  }
}

TEST(DualEstimateTest, LayerThatWasFrozenStaysFrozen) {
  Sequential critic = RandomCritic(ConstraintKind::kBjorck, 3, 2);
  critic->layer(0)->eval();
  Estimate(*critic, torch::randn({5, 3}), torch::randn({5, 3}));
  EXPECT_TRUE(critic->is_training());
  EXPECT_FALSE(critic->layer(0)->is_training());
  EXPECT_TRUE(critic->layer(2)->is_training());
}

TEST(DualEstimateTest, CriticInFloat64StaysSo) {
  Sequential critic = RandomCritic(ConstraintKind::kBjorck, 3, 2);
  critic->to(at::kDouble);
  Estimate(*critic, torch::randn({5, 3}), torch::randn({5, 3}));
  for (const auto& p : critic->parameters()) {
    EXPECT_EQ(p.scalar_type(), at::kDouble);
  }
}

TEST(DualEstimateTest, EstimateIsOfTheEvaluationModeAndRepeats) {
  for (const ConstraintKind kind : AllKinds()) {
    Sequential critic = RandomCritic(kind, 3, 2);
    const at::Tensor p = torch::randn({5, 3});
    const at::Tensor q = torch::randn({5, 3});
    const double training = Estimate(*critic, p, q).value;
    EXPECT_EQ(Estimate(*critic, p, q).value, training);
    critic->eval();
    EXPECT_EQ(Estimate(*critic, p, q).value, training) << ConstraintName(kind);
  }
}

TEST(DualEstimateTest, CriticWithMoreOutputsIsAnErrorWithTheirNumber) {
  Linear critic = Affine(torch::ones({3, 2}));
  const auto estimate = EstimateWithCritic(*critic, torch::zeros({4, 2}),
                                           torch::zeros({4, 2}), Norm::kL2);
  EXPECT_EQ(estimate.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(estimate.status().message()), HasSubstr("it has 3"));
}

TEST(DualEstimateTest, CriticWithoutABoundIsAnErrorThatNamesTheLayer) {
  Sequential critic;
  critic->push_back("a", Affine(torch::ones({1, 2})).ptr());
  critic->push_back("b", std::make_shared<MysteryImpl>());
  const auto estimate = EstimateWithCritic(*critic, torch::zeros({4, 2}),
                                           torch::zeros({4, 2}), Norm::kL2);
  EXPECT_EQ(estimate.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(estimate.status().message()), HasSubstr("'enigma'"));
  for (const auto& p : critic->parameters()) {
    EXPECT_EQ(p.scalar_type(), at::kFloat);
  }
}

TEST(DualEstimateTest, SamplesThatDoNotFitAreErrorsAndChangeNothing) {
  Linear critic = Affine(torch::ones({1, 2}));
  for (const auto& [p, q] : std::vector<std::pair<at::Tensor, at::Tensor>>{
           {torch::zeros({4, 3}), torch::zeros({4, 2})},
           {torch::zeros({4, 2}), torch::zeros({4, 3})},
           {torch::zeros({0, 2}), torch::zeros({4, 2})},
           {torch::zeros({4, 2}), torch::zeros({0, 2})}}) {
    EXPECT_FALSE(EstimateWithCritic(*critic, p, q, Norm::kL2).ok());
    EXPECT_EQ(critic->weight.scalar_type(), at::kFloat);
    EXPECT_TRUE(critic->is_training());
  }
}

// A module with a counter, which is beyond what float32 counts exactly.
class CountingImpl : public torch::nn::Module {
 public:
  CountingImpl() {
    count = register_buffer(
        "count",
        torch::full({1}, (1 << 24) + 1, torch::TensorOptions(torch::kLong)));
    half = register_buffer("half", torch::full({1}, 0.1, torch::kHalf));
  }
  torch::Tensor count;
  torch::Tensor half;
};

TEST(Float64EvaluationTest, LeavesIntegersAloneAndEveryTypeAsItWas) {
  CountingImpl module;
  const torch::Tensor half = module.half.clone();
  {
    const Float64Evaluation evaluation(module);
    EXPECT_EQ(module.count.scalar_type(), torch::kLong);
    EXPECT_EQ(module.half.scalar_type(), torch::kDouble);
  }
  EXPECT_EQ(module.count.item<int64_t>(), (1 << 24) + 1);
  EXPECT_EQ(module.half.scalar_type(), torch::kHalf);
  EXPECT_TRUE(torch::equal(module.half, half));
}

// Against tables of the normal distribution.
TEST(DualEstimateTest, IntervalsAreThoseOfANormalDistribution) {
  DualEstimate estimate;
  estimate.value = 5.0;
  estimate.standard_error = 2.0;
  const Interval most = IntervalOf(estimate, 0.95);
  EXPECT_NEAR(most.lower, 5.0 - 2.0 * 1.959963985, 1e-8);
  EXPECT_NEAR(most.upper, 5.0 + 2.0 * 1.959963985, 1e-8);
  EXPECT_NEAR(IntervalOf(estimate, 0.5).upper, 5.0 + 2.0 * 0.674489750, 1e-8);
}

TEST(DualEstimateTest, AValueThatIsNotFiniteIsAnError) {
  MlpConfig config;
  config.input_dim = 1;
  config.hidden = {4};
  Sequential critic = *MakeMlp(config);
  const torch::Tensor p = torch::ones({3, 1});
  const torch::Tensor q = torch::full({3, 1}, std::nan(""));
  EXPECT_EQ(EstimateWithCritic(*critic, p, q, Norm::kL2).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Float64EvaluationTest, LastsAsLongAsTheObject) {
  Linear critic = Affine(torch::ones({1, 2}));
  {
    const Float64Evaluation evaluation(*critic);
    EXPECT_EQ(critic->weight.scalar_type(), at::kDouble);
    EXPECT_FALSE(critic->is_training());
  }
  EXPECT_EQ(critic->weight.scalar_type(), at::kFloat);
  EXPECT_TRUE(critic->is_training());
}

}  // namespace
}  // namespace lipschitz
