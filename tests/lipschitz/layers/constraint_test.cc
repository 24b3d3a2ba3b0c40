#include "lipschitz/layers/constraint.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::GradientsAgree;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::SingularValues;
using ::lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 7}, {7, 1}, {5, 5}, {12, 5}, {5, 12}, {40, 33}, {64, 64}};

std::vector<ConstraintKind> AllKinds() {
  std::vector<ConstraintKind> kinds;
  for (const std::string& name : ConstraintNames()) {
    kinds.push_back(*ParseConstraint(name));
  }
  return kinds;
}

ConstraintOptions OfKind(ConstraintKind kind) {
  ConstraintOptions options;
  options.kind = kind;
  return options;
}

std::shared_ptr<WeightConstraint> Make(const ConstraintOptions& options,
                                       int64_t rows, int64_t columns) {
  auto constraint = MakeWeightConstraint(options, rows, columns);
  EXPECT_TRUE(constraint.ok()) << constraint.status();
  return *constraint;
}

// What a fresh constraint makes of `raw`.
at::Tensor Constrained(ConstraintKind kind, const at::Tensor& raw,
                       bool training = true) {
  const auto constraint = Make(OfKind(kind), raw.size(0), raw.size(1));
  constraint->to(raw.scalar_type());
  constraint->train(training);
  auto weight = constraint->Constrain(raw);
  EXPECT_TRUE(weight.ok()) << weight.status();
  return weight->detach();
}

TEST(ConstraintNameTest, EveryNameParsesToTheKindThatHasIt) {
  EXPECT_EQ(ConstraintNames(),
            (std::vector<std::string>{
                "none", "bjorck", "stiefel", "polar", "spectral", "parseval",
                "linf", "linf_rows", "l1_to_linf", "l2_to_linf"}));
  for (const std::string& name : ConstraintNames()) {
    const auto kind = ParseConstraint(name);
    ASSERT_TRUE(kind.ok());
    EXPECT_EQ(ConstraintName(*kind), name);
  }
}

TEST(ConstraintNameTest, UnknownNameIsAnErrorThatListsTheKnownOnes) {
  const auto kind = ParseConstraint("bjork");
  EXPECT_EQ(kind.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(kind.status().message()),
              AllOf(HasSubstr("'bjork'"), HasSubstr("bjorck"),
                    HasSubstr("l2_to_linf")));
}

TEST(ConstraintOptionsTest, OptionsOutOfRangeAreErrorsWithTheNumber) {
  ConstraintOptions spectral = OfKind(ConstraintKind::kSpectral);
  spectral.power_iterations = 0;
  EXPECT_THAT(std::string(spectral.Validate().message()), HasSubstr("got 0"));
  EXPECT_FALSE(MakeWeightConstraint(spectral, 2, 2).ok());
  for (const double beta : {0.0, -0.1, 0.75, kNan}) {
    ConstraintOptions parseval = OfKind(ConstraintKind::kParseval);
    parseval.parseval_beta = beta;
    EXPECT_EQ(parseval.Validate().code(), absl::StatusCode::kInvalidArgument)
        << beta;
  }
  ConstraintOptions bjorck = OfKind(ConstraintKind::kBjorck);
  bjorck.bjorck.iterations = -3;
  EXPECT_THAT(std::string(bjorck.Validate().message()), HasSubstr("got -3"));
  for (const double drift : {-1e-3, kNan}) {
    ConstraintOptions stiefel = OfKind(ConstraintKind::kStiefel);
    stiefel.max_drift = drift;
    EXPECT_THAT(std::string(stiefel.Validate().message()),
                HasSubstr("max_drift"));
    EXPECT_FALSE(MakeWeightConstraint(stiefel, 2, 2).ok());
  }
  ConstraintOptions stiefel = OfKind(ConstraintKind::kStiefel);
  stiefel.retraction.max_steps = 0;
  EXPECT_THAT(std::string(stiefel.Validate().message()), HasSubstr("got 0"));
  ConstraintOptions polar = OfKind(ConstraintKind::kPolar);
  polar.polar.max_iterations = -1;
  EXPECT_THAT(std::string(polar.Validate().message()), HasSubstr("got -1"));
  EXPECT_FALSE(MakeWeightConstraint(polar, 2, 2).ok());
  // Options of the constraints that are not in use do not matter.
  bjorck.kind = ConstraintKind::kNone;
  EXPECT_TRUE(bjorck.Validate().ok());
}

TEST(BjorckConstraintTest, AllSingularValuesAreOneForAnyShapeAndScale) {
  for (const auto& [rows, columns] : kShapes) {
    for (const double scale : {1e-3, 1.0, 100.0}) {
      torch::manual_seed(rows * 100 + columns);
      const at::Tensor raw = scale * torch::randn({rows, columns});
      for (const bool training : {true, false}) {
        const at::Tensor sigma =
            SingularValues(Constrained(ConstraintKind::kBjorck, raw, training));
        EXPECT_GT(sigma.min().item<double>(), 1 - 1e-3)
            << rows << "x" << columns << " times " << scale;
        EXPECT_LE(sigma.max().item<double>(), 1 + 1e-5)
            << rows << "x" << columns << " times " << scale;
      }
    }
  }
}

// The authors' scaling by √(rows·columns) leaves 0.55 to 0.69 at these widths
// after their 20 iterations.
TEST(BjorckConstraintTest, WideLayersFromTheAuthorsStartAreOrthonormal) {
  for (const int64_t width : {256, 312}) {
    torch::manual_seed(width);
    at::Tensor raw = torch::empty({width, width});
    torch::nn::init::orthogonal_(raw, 1 / std::sqrt(double(width)));
    const at::Tensor sigma =
        SingularValues(Constrained(ConstraintKind::kBjorck, raw));
    EXPECT_GT(sigma.min().item<double>(), 1 - 1e-3) << width;
    EXPECT_LE(sigma.max().item<double>(), 1 + 1e-5) << width;
  }
}

TEST(BjorckConstraintTest, ConfiguredIterationsAndOrderAreUsed) {
  const at::Tensor w = Matrix({{.6, -.2, .1}, {.3, .5, -.4}});
  ConstraintOptions options = OfKind(ConstraintKind::kBjorck);
  options.bjorck.scaling = BjorckScaling::kNone;
  options.bjorck.tolerance = 0;
  options.bjorck.iterations = 1;
  EXPECT_TRUE(TensorsNear(
      *Make(options, 2, 3)->Constrain(w),
      Matrix({{.7710, -.2690, .1375}, {.3630, .6290, -.5020}}), 1e-7));
  options.bjorck.order = 3;
  EXPECT_TRUE(TensorsNear(*Make(options, 2, 3)->Constrain(w),
                          Matrix({{.8804349, -.3219985, .1681293},
                                  {.3867420, .7016105, -.5584364}}),
                          1e-6));
  options.bjorck.order = 1;
  options.bjorck.iterations = 20;
  EXPECT_TRUE(TensorsNear(*Make(options, 2, 3)->Constrain(w),
                          Matrix({{.9201235, -.3462406, .1830035},
                                  {.3859379, .7222951, -.5738829}}),
                          1e-6));
}

// The result does not depend on the size of the raw weight, so neither may its
// gradient point along it: with the scale as a constant, that comes from the
// iteration alone, however few steps meet the tolerance.
TEST(BjorckConstraintTest, GradientHasNoPartAlongTheWeight) {
  for (const auto& [rows, columns] : kShapes) {
    if (rows * columns == 1) continue;
    torch::manual_seed(rows + columns);
    const at::Tensor raw =
        torch::randn({rows, columns}, at::kDouble).requires_grad_(true);
    const auto constraint =
        Make(OfKind(ConstraintKind::kBjorck), rows, columns);
    (*constraint->Constrain(raw) * torch::randn({rows, columns}, at::kDouble))
        .sum()
        .backward();
    const at::Tensor gradient = raw.grad();
    const double along = (gradient * raw.detach()).sum().item<double>();
    EXPECT_LE(std::abs(along),
              0.01 * gradient.norm().item<double>() * raw.norm().item<double>())
        << rows << "x" << columns;
  }
}

TEST(PolarConstraintTest, AllSingularValuesAreOneForAnyShapeAndScale) {
  for (const auto& [rows, columns] : kShapes) {
    for (const double scale : {1e-3, 1.0, 100.0}) {
      torch::manual_seed(rows * 100 + columns);
      const at::Tensor raw = scale * torch::randn({rows, columns});
      for (const bool training : {true, false}) {
        const at::Tensor sigma =
            SingularValues(Constrained(ConstraintKind::kPolar, raw, training));
        EXPECT_GT(sigma.min().item<double>(), 1 - 1e-5)
            << rows << "x" << columns << " times " << scale;
        EXPECT_LE(sigma.max().item<double>(), 1 + 1e-5)
            << rows << "x" << columns << " times " << scale;
      }
    }
  }
}

TEST(PolarConstraintTest, IsTheLimitOfBjorckWithItsGradient) {
  for (const auto& [rows, columns] : kShapes) {
    if (rows * columns == 1 || rows == 64) continue;
    torch::manual_seed(rows + columns);
    // Far from a singular matrix, where both are sensitive.
    const at::Tensor raw = torch::randn({rows, columns}, at::kDouble) +
                           3 * torch::eye(rows, columns, at::kDouble) *
                               std::sqrt(static_cast<double>(rows));
    const at::Tensor weights = torch::randn({rows, columns}, at::kDouble);
    ConstraintOptions options = OfKind(ConstraintKind::kBjorck);
    options.bjorck.iterations = 60;
    options.bjorck.tolerance = 0;
    std::vector<at::Tensor> values;
    std::vector<at::Tensor> gradients;
    for (const ConstraintKind kind :
         {ConstraintKind::kBjorck, ConstraintKind::kPolar}) {
      options.kind = kind;
      const at::Tensor leaf = raw.clone().requires_grad_(true);
      const at::Tensor weight = *Make(options, rows, columns)->Constrain(leaf);
      (weight * weights).sum().backward();
      values.push_back(weight.detach());
      gradients.push_back(leaf.grad());
    }
    EXPECT_TRUE(TensorsNear(values[0], values[1], 1e-11))
        << rows << "x" << columns;
    EXPECT_TRUE(TensorsNear(gradients[0], gradients[1],
                            1e-9 * gradients[0].norm().item<double>()))
        << rows << "x" << columns;
  }
}

TEST(PolarConstraintTest, ConfiguredIterationsAreTheMost) {
  ConstraintOptions options = OfKind(ConstraintKind::kPolar);
  options.polar.max_iterations = 1;
  const auto weight =
      Make(options, 2, 2)->Constrain(Matrix({{1, 0}, {0, 0.01}}));
  EXPECT_EQ(weight.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(weight.status().message()),
              HasSubstr("after 1 iterations"));
}

TEST(PolarConstraintTest, RescalingIsAnOption) {
  torch::manual_seed(4);
  const at::Tensor raw = 50 * torch::randn({5, 8});
  for (const bool rescale : {true, false}) {
    ConstraintOptions options = OfKind(ConstraintKind::kPolar);
    options.rescale_raw = rescale;
    const auto constraint = Make(options, 5, 8);
    at::Tensor stepped = raw.clone();
    const at::Tensor before = *constraint->Constrain(stepped);
    constraint->AfterOptimizerStep(stepped);
    const double norm = SingularValues(stepped).max().item<double>();
    if (rescale) {
      EXPECT_NEAR(norm, 1.0, 0.2);
      EXPECT_TRUE(TensorsNear(*constraint->Constrain(stepped), before, 1e-5));
    } else {
      EXPECT_TRUE(torch::equal(stepped, raw));
    }
  }
}

// An orthonormal matrix with entries of the type of a layer.
at::Tensor Orthonormal(int64_t rows, int64_t columns) {
  at::Tensor w = torch::empty({rows, columns});
  torch::nn::init::orthogonal_(w);
  return w;
}

double LargestDrift(const at::Tensor& w) {
  return (SingularValues(w).square() - 1).abs().max().item<double>();
}

TEST(StiefelConstraintTest, TrainingAppliesTheRawWeightAndEvaluationPolishes) {
  for (const auto& [rows, columns] : kShapes) {
    torch::manual_seed(rows + columns);
    const at::Tensor raw = 1.003 * Orthonormal(rows, columns);
    EXPECT_TRUE(
        torch::equal(Constrained(ConstraintKind::kStiefel, raw, true), raw));
    const at::Tensor polished =
        Constrained(ConstraintKind::kStiefel, raw, false);
    EXPECT_LE(LargestDrift(polished), 1e-6) << rows << "x" << columns;
    EXPECT_TRUE(TensorsNear(polished, raw / 1.003, 1e-6));
    // It is applied as it is from then on.
    EXPECT_TRUE(torch::equal(
        Constrained(ConstraintKind::kStiefel, polished, false), polished));
  }
}

TEST(StiefelConstraintTest, StepsOnlyWhereTheDriftAsksForIt) {
  for (const auto& [rows, columns] : kShapes) {
    torch::manual_seed(rows + columns);
    const at::Tensor start = Orthonormal(rows, columns);
    ConstraintOptions options = OfKind(ConstraintKind::kStiefel);
    // Gram is 1.002² I: a drift of 0.004, known exactly.
    at::Tensor raw = 1.002 * start;
    const at::Tensor before = raw.clone();
    Make(options, rows, columns)->AfterOptimizerStep(raw);
    EXPECT_TRUE(torch::equal(raw, before)) << rows << "x" << columns;
    // Without an allowance, and above it.
    options.max_drift = 0.0;
    Make(options, rows, columns)->AfterOptimizerStep(raw);
    EXPECT_LE(LargestDrift(raw), 2e-5) << rows << "x" << columns;
    options.max_drift = 1e-2;
    raw = 1.02 * start;
    Make(options, rows, columns)->AfterOptimizerStep(raw);
    EXPECT_LE(LargestDrift(raw), 2e-3) << rows << "x" << columns;
    // Far away.
    raw = 100 * start;
    Make(options, rows, columns)->AfterOptimizerStep(raw);
    EXPECT_LE(LargestDrift(raw), 1e-5) << rows << "x" << columns;
  }
}

TEST(StiefelConstraintTest, MendsTheStartAndTheEnd) {
  for (const auto& [rows, columns] : kShapes) {
    torch::manual_seed(rows + columns);
    const auto constraint =
        Make(OfKind(ConstraintKind::kStiefel), rows, columns);
    at::Tensor raw = 0.1 * Orthonormal(rows, columns);
    constraint->Initialise(raw);
    EXPECT_LE(LargestDrift(raw), 1e-6);
    raw = torch::randn({rows, columns});
    constraint->AfterTraining(raw);
    EXPECT_LE(LargestDrift(raw), 1e-6);
  }
}

TEST(StiefelConstraintTest, WeightThatIsNotFiniteStaysForOthersToReport) {
  for (const double bad : {kNan, kInfinity}) {
    const auto constraint = Make(OfKind(ConstraintKind::kStiefel), 3, 5);
    at::Tensor raw = Orthonormal(3, 5);
    raw[1][1] = bad;
    const at::Tensor before = raw.clone();
    constraint->Initialise(raw);
    constraint->AfterOptimizerStep(raw);
    constraint->AfterTraining(raw);
    EXPECT_TRUE(TensorsNear(raw, before, 0));
    // And leaves no trace.
    for (const auto& buffer : constraint->buffers()) {
      EXPECT_TRUE(buffer.isfinite().all().item<bool>());
    }
    raw = 1.5 * Orthonormal(3, 5);
    constraint->AfterOptimizerStep(raw);
    EXPECT_LE(LargestDrift(raw), 1e-5);
  }
}

// It decides when to retract, so a resumed training needs it.
TEST(StiefelConstraintTest, DirectionIsABufferThatGetsNoGradient) {
  for (const auto& [rows, columns] : kShapes) {
    const auto constraint =
        Make(OfKind(ConstraintKind::kStiefel), rows, columns);
    EXPECT_TRUE(constraint->parameters().empty());
    ASSERT_EQ(constraint->buffers().size(), 1u);
    const at::Tensor direction = constraint->buffers()[0];
    EXPECT_EQ(direction.sizes(),
              (std::vector<int64_t>{std::min(rows, columns)}));
    EXPECT_FALSE(direction.requires_grad());
    EXPECT_NEAR(direction.norm().item<double>(), 1.0, 1e-6);
    at::Tensor raw = 1.001 * Orthonormal(rows, columns);
    raw.requires_grad_(true);
    constraint->AfterOptimizerStep(raw);
    EXPECT_FALSE(direction.requires_grad());
    EXPECT_NEAR(direction.norm().item<double>(), 1.0, 1e-5);
  }
}

TEST(StiefelConstraintTest, WorksInFloat64) {
  const auto constraint = Make(OfKind(ConstraintKind::kStiefel), 6, 4);
  constraint->to(at::kDouble);
  at::Tensor raw = 1.3 * Orthonormal(6, 4).to(at::kDouble);
  constraint->AfterOptimizerStep(raw);
  EXPECT_LE(LargestDrift(raw), 0.35);
  constraint->AfterTraining(raw);
  EXPECT_LE(LargestDrift(raw), 1e-13);
}

TEST(SpectralConstraintTest, EvaluationDividesByTheProvenNorm) {
  for (const auto& [rows, columns] : kShapes) {
    for (const double scale : {1e-4, 1.0, 50.0}) {
      torch::manual_seed(rows * 10 + columns);
      const at::Tensor raw = scale * torch::randn({rows, columns});
      // Fresh u and v: one power iteration from them would be far too low.
      const double sigma =
          SingularValues(Constrained(ConstraintKind::kSpectral, raw, false))
              .max()
              .item<double>();
      EXPECT_LE(sigma, 1 + 1e-6) << rows << "x" << columns;
      EXPECT_GT(sigma, 1 - 1e-5) << rows << "x" << columns;
    }
  }
}

TEST(SpectralConstraintTest, ScalesSmallWeightsUpAsWell) {
  const at::Tensor raw = Matrix({{.1, 0}, {0, .05}});
  EXPECT_TRUE(TensorsNear(Constrained(ConstraintKind::kSpectral, raw, false),
                          Matrix({{1, 0}, {0, .5}}), 1e-8));
}

TEST(SpectralConstraintTest, ConfiguredNumberOfPowerIterationsIsUsed) {
  torch::manual_seed(3);
  const at::Tensor raw = torch::randn({6, 9}, at::kDouble);
  std::vector<double> sigmas;
  for (const int iterations : {1, 2, 5, 40}) {
    ConstraintOptions options = OfKind(ConstraintKind::kSpectral);
    options.power_iterations = iterations;
    torch::manual_seed(17);
    const auto constraint = Make(options, 6, 9);
    constraint->to(at::kDouble);
    at::Tensor u = constraint->named_buffers()["u"].clone();
    at::Tensor v;
    for (int i = 0; i < iterations; ++i) {
      v = raw.t().mv(u);
      v = v / v.norm();
      u = raw.mv(v);
      u = u / u.norm();
    }
    const double sigma = u.dot(raw.mv(v)).item<double>();
    EXPECT_TRUE(TensorsNear(*constraint->Constrain(raw), raw / sigma, 1e-12))
        << iterations;
    sigmas.push_back(sigma);
  }
  // The test tells the numbers apart.
  EXPECT_GT(sigmas[1] - sigmas[0], 1e-3);
  EXPECT_GT(sigmas[2] - sigmas[1], 1e-3);
  EXPECT_GT(sigmas[3] - sigmas[2], 1e-6);
}

TEST(SpectralConstraintTest, PowerIterationGoesOnFromTheLastForward) {
  torch::manual_seed(5);
  const at::Tensor raw = torch::randn({8, 4}, at::kDouble);
  ConstraintOptions options = OfKind(ConstraintKind::kSpectral);
  torch::manual_seed(1);
  const auto twice = Make(options, 8, 4);
  options.power_iterations = 2;
  torch::manual_seed(1);
  const auto once = Make(options, 8, 4);
  twice->to(at::kDouble);
  once->to(at::kDouble);
  ASSERT_TRUE(twice->Constrain(raw).ok());
  EXPECT_TRUE(
      TensorsNear(*twice->Constrain(raw), *once->Constrain(raw), 1e-12));
}

TEST(SpectralConstraintTest, VectorsAreBuffersThatGetNoGradient) {
  const auto constraint = Make(OfKind(ConstraintKind::kSpectral), 3, 5);
  EXPECT_TRUE(constraint->parameters().empty());
  ASSERT_EQ(constraint->buffers().size(), 2u);
  const at::Tensor u = constraint->named_buffers()["u"];
  const at::Tensor v = constraint->named_buffers()["v"];
  const at::Tensor raw = torch::randn({3, 5}).requires_grad_(true);
  constraint->Constrain(raw)->sum().backward();
  EXPECT_FALSE(u.requires_grad());
  EXPECT_FALSE(v.requires_grad());
  EXPECT_FALSE(u.grad().defined());
  EXPECT_NEAR(u.norm().item<double>(), 1, 1e-6);
  EXPECT_NEAR(v.norm().item<double>(), 1, 1e-6);
  EXPECT_TRUE(raw.grad().defined());
}

TEST(SpectralConstraintTest, EvaluationLeavesTheVectorsAlone) {
  const auto constraint = Make(OfKind(ConstraintKind::kSpectral), 3, 5);
  const at::Tensor u = constraint->named_buffers()["u"].clone();
  constraint->eval();
  ASSERT_TRUE(constraint->Constrain(torch::randn({3, 5})).ok());
  EXPECT_TRUE(torch::equal(u, constraint->named_buffers()["u"]));
}

// A second forward changes u and v in place; the first graph must not notice.
TEST(SpectralConstraintTest, TwoForwardsBeforeOneBackwardWork) {
  const auto constraint = Make(OfKind(ConstraintKind::kSpectral), 3, 5);
  const at::Tensor raw = torch::randn({3, 5}).requires_grad_(true);
  const at::Tensor first = *constraint->Constrain(raw);
  const at::Tensor second = *constraint->Constrain(raw);
  (first.sum() - second.square().sum()).backward();
  EXPECT_TRUE(raw.grad().isfinite().all().item<bool>());
}

TEST(SpectralConstraintTest, ZeroWeightIsAClearErrorThatLeavesNoTrace) {
  for (const bool training : {true, false}) {
    const auto constraint = Make(OfKind(ConstraintKind::kSpectral), 3, 5);
    constraint->train(training);
    const auto weight = constraint->Constrain(torch::zeros({3, 5}));
    EXPECT_EQ(weight.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(weight.status().message()),
                AllOf(HasSubstr("spectral"), HasSubstr("is 0")));
    // A weight that is mended afterwards can be constrained again.
    EXPECT_TRUE(constraint->Constrain(torch::ones({3, 5})).ok()) << training;
  }
}

TEST(ParsevalConstraintTest, AppliesTheRawWeight) {
  const at::Tensor raw = 3 * torch::randn({4, 6});
  EXPECT_TRUE(torch::equal(Constrained(ConstraintKind::kParseval, raw), raw));
}

TEST(ParsevalConstraintTest, StepIsOneBjorckStepOfTheRawWeight) {
  ConstraintOptions options = OfKind(ConstraintKind::kParseval);
  const at::Tensor w = Matrix({{.6, -.2, .1}, {.3, .5, -.4}});
  at::Tensor stepped = w.clone();
  Make(options, 2, 3)->AfterOptimizerStep(stepped);
  EXPECT_TRUE(TensorsNear(
      stepped, Matrix({{.7710, -.2690, .1375}, {.3630, .6290, -.5020}}),
      1e-12));
  options.parseval_beta = 0.25;
  stepped = w.clone();
  Make(options, 2, 3)->AfterOptimizerStep(stepped);
  EXPECT_TRUE(TensorsNear(
      stepped, Matrix({{.6855, -.2345, .11875}, {.3315, .5645, -.4510}}),
      1e-12));
  for (const auto& [rows, columns] : kShapes) {
    torch::manual_seed(rows + columns);
    const at::Tensor raw = torch::randn({rows, columns}, at::kDouble);
    stepped = raw.clone();
    Make(OfKind(ConstraintKind::kParseval), rows, columns)
        ->AfterOptimizerStep(stepped);
    EXPECT_TRUE(
        TensorsNear(stepped, 1.5 * raw - 0.5 * raw.mm(raw.t()).mm(raw), 1e-9));
  }
}

TEST(ParsevalConstraintTest, RepeatedStepsReachOrthonormality) {
  for (const auto& [rows, columns] : kShapes) {
    torch::manual_seed(rows + columns);
    at::Tensor w = torch::empty({rows, columns});
    torch::nn::init::orthogonal_(w, 1 / std::sqrt(double(columns)));
    w.requires_grad_(true);
    const auto constraint =
        Make(OfKind(ConstraintKind::kParseval), rows, columns);
    for (int i = 0; i < 30; ++i) constraint->AfterOptimizerStep(w);
    const at::Tensor sigma = SingularValues(w);
    EXPECT_NEAR(sigma.min().item<double>(), 1, 1e-5);
    EXPECT_NEAR(sigma.max().item<double>(), 1, 1e-5);
  }
}

TEST(LinfConstraintTest, RowsInsideTheBallStayAndOthersAreProjected) {
  const at::Tensor raw = Matrix({{.9, -.6, .3, 0},
                                 {.25, -.25, .25, -.25},
                                 {.1, .2, -.3, .1},
                                 {2, -1, .5, 0}});
  const at::Tensor expected = Matrix({{.6333333, -.3333333, .0333333, 0},
                                      {.25, -.25, .25, -.25},
                                      {.1, .2, -.3, .1},
                                      {1, 0, 0, 0}});
  EXPECT_TRUE(TensorsNear(Constrained(ConstraintKind::kLinfProjection, raw),
                          expected, 1e-6));
}

TEST(LinfRowsConstraintTest, EveryRowIsScaledToNormOne) {
  const at::Tensor raw =
      Matrix({{.9, -.6, .3, 0}, {.1, .2, -.3, .1}, {0, 0, 0, 0}});
  EXPECT_TRUE(TensorsNear(Constrained(ConstraintKind::kLinfRows, raw),
                          Matrix({{.5, -.3333333, .1666667, 0},
                                  {.1428571, .2857143, -.4285714, .1428571},
                                  {0, 0, 0, 0}}),
                          1e-6));
}

TEST(ToLinfConstraintTest, RowsAreBroughtIntoTheDualBall) {
  EXPECT_TRUE(TensorsNear(
      Constrained(ConstraintKind::kL1ToLinf, Matrix({{3, -4}, {.3, -.9}})),
      Matrix({{1, -1}, {.3, -.9}}), 0));
  EXPECT_TRUE(TensorsNear(
      Constrained(ConstraintKind::kL2ToLinf, Matrix({{3, -4}, {.3, -.4}})),
      Matrix({{.6, -.8}, {.3, -.4}}), 1e-12));
}

TEST(RowConstraintTest, PromisedRowNormHoldsForAnyShapeAndScale) {
  for (const auto& [rows, columns] : kShapes) {
    for (const double scale : {1e-3, 1.0, 100.0}) {
      for (const bool training : {true, false}) {
        torch::manual_seed(rows * 10 + columns);
        const at::Tensor raw = scale * torch::randn({rows, columns});
        const auto constrained = [&](ConstraintKind kind) {
          return Constrained(kind, raw, training).to(at::kDouble);
        };
        EXPECT_LE(constrained(ConstraintKind::kLinfProjection)
                      .abs()
                      .sum(1)
                      .max()
                      .item<double>(),
                  1 + 1e-5);
        EXPECT_TRUE(
            TensorsNear(constrained(ConstraintKind::kLinfRows).abs().sum(1),
                        torch::ones({rows}, at::kDouble), 1e-5));
        EXPECT_LE(
            constrained(ConstraintKind::kL1ToLinf).abs().max().item<double>(),
            1);
        EXPECT_LE(constrained(ConstraintKind::kL2ToLinf)
                      .square()
                      .sum(1)
                      .sqrt()
                      .max()
                      .item<double>(),
                  1 + 1e-6);
      }
    }
  }
}

TEST(EveryConstraintTest, WeightThatMeetsTheConstraintIsUnchanged) {
  // A signed permutation is orthonormal, and its rows are units of every norm.
  const at::Tensor raw = Matrix({{0, -1, 0}, {1, 0, 0}, {0, 0, 1}});
  for (const ConstraintKind kind : AllKinds()) {
    EXPECT_TRUE(TensorsNear(Constrained(kind, raw, false), raw, 1e-9))
        << ConstraintName(kind);
  }
}

TEST(EveryConstraintTest, GradientIsThatOfTheMap) {
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {3, 5}, {5, 3}, {1, 4}, {4, 1}}) {
    for (const ConstraintKind kind : AllKinds()) {
      ConstraintOptions options = OfKind(kind);
      // Iterations that have converged: then neither the scale nor the vectors
      // that carry no gradient matter.
      options.bjorck.iterations = 100;
      options.bjorck.tolerance = 1e-13;
      options.power_iterations = 500;
      const auto constraint = Make(options, rows, columns);
      constraint->to(at::kDouble);
      torch::manual_seed(11);
      EXPECT_TRUE(GradientsAgree(
          [&](const std::vector<at::Tensor>& in) {
            return *constraint->Constrain(in[0]);
          },
          {torch::randn({rows, columns}, at::kDouble)}))
          << ConstraintName(kind) << " " << rows << "x" << columns;
    }
  }
}

TEST(EveryConstraintTest, ZeroRowHasAFiniteGradient) {
  for (const ConstraintKind kind : AllKinds()) {
    const at::Tensor raw =
        Matrix({{0, 0, 0}, {2, -1, .5}}).requires_grad_(true);
    const auto constraint = Make(OfKind(kind), 2, 3);
    constraint->to(at::kDouble);
    auto weight = constraint->Constrain(raw);
    if (kind == ConstraintKind::kPolar) {
      // No polar factor, and so it says.
      EXPECT_THAT(std::string(weight.status().message()),
                  HasSubstr("rank deficient"));
      continue;
    }
    ASSERT_TRUE(weight.ok()) << ConstraintName(kind) << weight.status();
    EXPECT_TRUE(weight->isfinite().all().item<bool>()) << ConstraintName(kind);
    (*weight * Matrix({{1, 2, 3}, {4, 5, 6}})).sum().backward();
    EXPECT_TRUE(raw.grad().isfinite().all().item<bool>())
        << ConstraintName(kind) << "\n"
        << raw.grad();
  }
}

TEST(EveryConstraintTest, WeightThatIsNotFiniteIsAnErrorWithTheNumbers) {
  for (const ConstraintKind kind : AllKinds()) {
    for (const double bad : {kNan, kInfinity, -kInfinity}) {
      for (const bool training : {true, false}) {
        const auto constraint = Make(OfKind(kind), 2, 3);
        constraint->train(training);
        at::Tensor raw = torch::ones({2, 3});
        raw[0][0] = 2.0;
        raw[1][2] = bad;
        const auto weight = constraint->Constrain(raw);
        ASSERT_FALSE(weight.ok()) << ConstraintName(kind) << " " << bad;
        EXPECT_THAT(std::string(weight.status().message()),
                    AllOf(HasSubstr("1 of 6"), HasSubstr("(1, 2)")))
            << ConstraintName(kind);
        // And no trace of it in the constraint's state.
        raw[1][2] = 1.0;
        EXPECT_TRUE(constraint->Constrain(raw).ok()) << ConstraintName(kind);
      }
    }
  }
}

}  // namespace
}  // namespace lipschitz
