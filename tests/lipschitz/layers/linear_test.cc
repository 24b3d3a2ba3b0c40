#include "lipschitz/layers/linear.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/linalg/gram.h"
#include "tests/testing/inference_mode.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::GradientsAgree;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::ServesAutogradAfterInference;
using ::lipschitz::testing::SingularValues;
using ::lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 6}, {6, 1}, {5, 5}, {14, 4}, {4, 14}, {33, 40}};

std::vector<ConstraintKind> AllKinds() {
  std::vector<ConstraintKind> kinds;
  for (const std::string& name : ConstraintNames()) {
    kinds.push_back(*ParseConstraint(name));
  }
  return kinds;
}

LinearConfig Config(ConstraintKind kind, int64_t in, int64_t out) {
  LinearConfig config;
  config.in_features = in;
  config.out_features = out;
  config.constraint.kind = kind;
  config.name = "probe";
  return config;
}

// A layer whose raw weight is Gaussian, so that no constraint is met by
// chance.
Linear RandomLayer(const LinearConfig& config, int64_t seed = 0) {
  torch::manual_seed(seed);
  Linear layer(config);
  torch::NoGradGuard no_grad;
  layer->weight.normal_();
  return layer;
}

at::Tensor RowNorms(const at::Tensor& rows, Norm norm) {
  const double p = norm == Norm::kL1 ? 1 : norm == Norm::kL2 ? 2 : kInfinity;
  return rows.norm(p, /*dim=*/1);
}

// Variance 2 / in.
TEST(LinearTest, StartsFreeWeightsSuchThatReluKeepsTheirSize) {
  torch::manual_seed(0);
  const int64_t in = 400;
  Linear layer(Config(ConstraintKind::kNone, in, 300));
  EXPECT_NEAR(layer->weight.square().mean().item<double>(), 2.0 / in,
              0.05 / in);
  EXPECT_NEAR(layer->weight.mean().item<double>(), 0.0, 1e-3);
  const torch::Tensor x = torch::randn({200, in});
  const torch::Tensor y = torch::matmul(x, layer->weight.t()).clamp_min(0);
  EXPECT_NEAR(y.square().mean().item<double>(), 1.0, 0.1);
}

TEST(LinearTest, StartsLikeTheAuthorsLayers) {
  for (const auto& [out, in] : kShapes) {
    torch::manual_seed(in);
    LinearConfig config = Config(ConstraintKind::kBjorck, in, out);
    Linear layer(config);
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    EXPECT_EQ(layer->weight.sizes(), (std::vector<int64_t>{out, in}));
    EXPECT_TRUE(TensorsNear(
        SingularValues(layer->weight),
        torch::full({std::min(in, out)}, bound, at::kDouble), 1e-5));
    EXPECT_LE(layer->bias.abs().max().item<double>(), bound);
    EXPECT_EQ(layer->parameters().size(), 2u);
  }
}

TEST(LinearTest, AppliesScaleTimesConstrainedWeightAndBias) {
  for (const ConstraintKind kind : AllKinds()) {
    for (const bool training : {true, false}) {
      LinearConfig config = Config(kind, 4, 3);
      config.scale = 2.5;
      Linear layer = RandomLayer(config);
      layer->train(training);
      const at::Tensor x = torch::randn({5, 4});
      const at::Tensor y = layer->forward(x);
      ASSERT_EQ(y.sizes(), (std::vector<int64_t>{5, 3}));
      if (kind == ConstraintKind::kSpectral && training) continue;
      const at::Tensor weight = *layer->ConstrainedWeight();
      EXPECT_TRUE(
          TensorsNear(y, 2.5 * (x.matmul(weight.t()) + layer->bias), 1e-5));
    }
  }
}

TEST(LinearTest, TakesOneExampleAlone) {
  for (const ConstraintKind kind :
       {ConstraintKind::kNone, ConstraintKind::kStiefel}) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    const at::Tensor x = torch::randn({4});
    EXPECT_TRUE(TensorsNear(layer->forward(x),
                            layer->forward(x.unsqueeze(0)).squeeze(0), 1e-6));
  }
}

// Of several rows in an example a later layer could make more than the bounds
// for one allow: with the weight 1 on each of four pixels, which a row of ones
// then adds up, the product of the bounds in l2 is 2 and in linf 4.
TEST(LinearTest, RefusesSeveralRowsInAnExample) {
  for (const ConstraintKind kind :
       {ConstraintKind::kNone, ConstraintKind::kStiefel}) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{2, 5, 4}, std::vector<int64_t>{2, 1, 1, 4}}) {
      EXPECT_THAT([&] { layer->forward(torch::randn(shape)); },
                  ThrowsMessage<c10::Error>(HasSubstr("flatten")));
    }
  }
}

TEST(LinearTest, WithoutABiasItIsLinear) {
  LinearConfig config = Config(ConstraintKind::kBjorck, 4, 3);
  config.bias = false;
  Linear layer(config);
  EXPECT_EQ(layer->parameters().size(), 1u);
  EXPECT_FALSE(layer->bias.defined());
  EXPECT_TRUE(
      torch::equal(layer->forward(torch::zeros({2, 4})), torch::zeros({2, 3})));
}

TEST(LinearTest, PromisedConstantHoldsForEveryConstraintAndShape) {
  for (const auto& [out, in] : kShapes) {
    for (const bool training : {true, false}) {
      const auto bound = [&, rows = out, columns = in](ConstraintKind kind,
                                                       Norm from, Norm to) {
        Linear layer = RandomLayer(Config(kind, columns, rows));
        layer->train(training);
        const auto value = layer->LipschitzBound(from, to);
        EXPECT_TRUE(value.ok()) << value.status();
        return *value;
      };
      EXPECT_LE(bound(ConstraintKind::kBjorck, Norm::kL2, Norm::kL2), 1 + 1e-5);
      EXPECT_LE(bound(ConstraintKind::kStiefel, Norm::kL2, Norm::kL2),
                1 + 1e-6);
      EXPECT_LE(bound(ConstraintKind::kPolar, Norm::kL2, Norm::kL2), 1 + 1e-5);
      EXPECT_LE(bound(ConstraintKind::kSpectral, Norm::kL2, Norm::kL2),
                1 + 1e-6);
      EXPECT_LE(
          bound(ConstraintKind::kLinfProjection, Norm::kLinf, Norm::kLinf),
          1 + 1e-5);
      EXPECT_NEAR(bound(ConstraintKind::kLinfRows, Norm::kLinf, Norm::kLinf), 1,
                  1e-5);
      EXPECT_LE(bound(ConstraintKind::kL1ToLinf, Norm::kL1, Norm::kLinf), 1);
      EXPECT_LE(bound(ConstraintKind::kL2ToLinf, Norm::kL2, Norm::kLinf),
                1 + 1e-6);
    }
  }
}

TEST(LinearTest, BoundsAreNotBelowWhatPairsOfPointsShow) {
  for (const ConstraintKind kind : AllKinds()) {
    for (const auto& [out, in] : kShapes) {
      LinearConfig config = Config(kind, in, out);
      config.scale = 3.0;
      Linear layer = RandomLayer(config, in + out);
      layer->to(at::kDouble);
      layer->eval();
      const auto bounds = layer->LipschitzBounds();
      ASSERT_TRUE(bounds.ok()) << bounds.status();
      const at::Tensor weight = *layer->ConstrainedWeight();
      torch::manual_seed(1);
      // Random directions, the axes, the rows' signs (which attain the bound
      // from linf to linf) and the singular vectors.
      const auto vectors = std::get<2>(at::linalg_svd(weight, false));
      const at::Tensor directions =
          torch::cat({torch::randn({50, in}, at::kDouble),
                      torch::eye(in, at::kDouble), weight.sign(), vectors});
      const at::Tensor x = torch::randn_like(directions);
      const at::Tensor change =
          layer->forward(x + directions) - layer->forward(x);
      for (const Norm from : kAllNorms) {
        for (const Norm to : kAllNorms) {
          const at::Tensor size = RowNorms(directions, from);
          const at::Tensor slope =
              (RowNorms(change, to) / size).masked_select(size > 1e-9);
          EXPECT_LE(slope.max().item<double>(),
                    bounds->At(from, to) * (1 + 1e-12))
              << ConstraintName(kind) << " " << out << "x" << in << " "
              << NormName(from) << " to " << NormName(to);
        }
      }
      const double sigma = 3 * SingularValues(weight).max().item<double>();
      EXPECT_GE(bounds->At(Norm::kL2, Norm::kL2), sigma * (1 - 1e-14));
      EXPECT_LE(bounds->At(Norm::kL2, Norm::kL2), sigma * (1 + 1e-5));
    }
  }
}

// LibTorch's own SGD writes so, and weight clipping usually does; the version
// counter does not see it.
TEST(LinearTest, EvaluationAndBoundNoticeWritesThroughData) {
  Linear layer = RandomLayer(Config(ConstraintKind::kNone, 4, 3));
  const torch::Tensor x = torch::randn({2, 4});
  for (const bool training : {false, true}) {
    layer->train(training);
    const torch::Tensor before = layer->forward(x) - layer->bias;
    const double bound = *layer->LipschitzBound(Norm::kL2);
    layer->weight.data().mul_(10);
    EXPECT_TRUE(testing::TensorsNear(layer->forward(x) - layer->bias,
                                     10 * before, 1e-3));
    EXPECT_NEAR(*layer->LipschitzBound(Norm::kL2), 10 * bound, 1e-4 * bound);
  }
}

TEST(LinearTest, ScaleMultipliesTheBoundAndBiasDoesNotMatter) {
  for (const ConstraintKind kind : AllKinds()) {
    LinearConfig config = Config(kind, 7, 5);
    Linear plain = RandomLayer(config, 3);
    config.scale = 5.62341;
    Linear scaled = RandomLayer(config, 3);
    {
      torch::NoGradGuard no_grad;
      scaled->bias.fill_(1e6);
    }
    for (const Norm norm : kAllNorms) {
      // By the factor that float32 tensors are really multiplied by.
      EXPECT_NEAR(*scaled->LipschitzBound(norm) / *plain->LipschitzBound(norm),
                  static_cast<double>(5.62341f), 1e-12)
          << ConstraintName(kind);
    }
  }
}

TEST(LinearTest, EvaluationComputesTheWeightOnce) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    layer->eval();
    const int64_t before = layer->constraint_evaluations();
    const at::Tensor x = torch::randn({2, 4});
    for (int i = 0; i < 10; ++i) layer->forward(x);
    ASSERT_TRUE(layer->LipschitzBounds().ok());
    ASSERT_TRUE(layer->ConstrainedWeight().ok());
    EXPECT_EQ(layer->constraint_evaluations(), before + 1)
        << ConstraintName(kind);
  }
}

TEST(LinearTest, EvaluationInInferenceModeServesAutogradLater) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    EXPECT_TRUE(ServesAutogradAfterInference(*layer, torch::randn({2, 4})))
        << ConstraintName(kind);
  }
}

TEST(LinearTest, TrainingComputesTheWeightInEveryForward) {
  Linear layer = RandomLayer(Config(ConstraintKind::kBjorck, 4, 3));
  for (int i = 0; i < 3; ++i) layer->forward(torch::randn({2, 4}));
  EXPECT_EQ(layer->constraint_evaluations(), 3);
}

// Every way in which a weight changes under a layer in evaluation mode.
TEST(LinearTest, EvaluationNoticesAChangeInPlace) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    layer->eval();
    const at::Tensor x = torch::randn({2, 4});
    const at::Tensor before = layer->forward(x);
    const double bound = *layer->LipschitzBound(Norm::kL1);
    {
      torch::NoGradGuard no_grad;
      layer->weight.copy_(-3 * layer->weight.flip(1));
    }
    Linear fresh(Config(kind, 4, 3));
    {
      torch::NoGradGuard no_grad;
      fresh->weight.copy_(layer->weight);
      fresh->bias.copy_(layer->bias);
    }
    fresh->eval();
    EXPECT_FALSE(torch::equal(layer->forward(x), before));
    EXPECT_TRUE(TensorsNear(layer->forward(x), fresh->forward(x), 1e-6))
        << ConstraintName(kind);
    if (kind == ConstraintKind::kNone) {
      EXPECT_NEAR(*layer->LipschitzBound(Norm::kL1), 3 * bound, 1e-5);
    }
  }
}

TEST(LinearTest, EvaluationNoticesAnOptimiserStep) {
  Linear layer = RandomLayer(Config(ConstraintKind::kBjorck, 4, 3));
  const at::Tensor x = torch::randn({2, 4});
  layer->eval();
  const at::Tensor before = layer->forward(x);
  layer->train();
  torch::optim::SGD optimizer(layer->parameters(), 0.5);
  layer->forward(x).square().sum().backward();
  optimizer.step();
  layer->eval();
  const at::Tensor after = layer->forward(x);
  EXPECT_FALSE(torch::equal(before, after));
  Linear fresh(Config(ConstraintKind::kBjorck, 4, 3));
  {
    torch::NoGradGuard no_grad;
    fresh->weight.copy_(layer->weight);
    fresh->bias.copy_(layer->bias);
  }
  EXPECT_TRUE(TensorsNear(after, fresh->forward(x), 1e-6));
}

TEST(LinearTest, EvaluationNoticesLoadedWeights) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear source = RandomLayer(Config(kind, 4, 3), 1);
    source->eval();
    const at::Tensor x = torch::randn({2, 4});
    std::stringstream by_function;
    torch::save(source, by_function);
    torch::serialize::OutputArchive out;
    source->save(out);
    std::stringstream by_method;
    out.save_to(by_method);

    Linear target = RandomLayer(Config(kind, 4, 3), 2);
    target->eval();
    ASSERT_FALSE(torch::equal(target->forward(x), source->forward(x)));
    torch::load(target, by_function);
    EXPECT_TRUE(torch::equal(target->forward(x), source->forward(x)))
        << ConstraintName(kind);
    EXPECT_EQ(*target->LipschitzBound(Norm::kL2),
              *source->LipschitzBound(Norm::kL2));

    // Many times over: freed memory comes to be used again.
    for (int64_t seed = 3; seed < 20; ++seed) {
      Linear other = RandomLayer(Config(kind, 4, 3), seed);
      std::stringstream stream;
      torch::save(other, stream);
      torch::load(target, stream);
      other->eval();
      ASSERT_TRUE(torch::equal(target->forward(x), other->forward(x)))
          << ConstraintName(kind) << " " << seed;
    }

    torch::serialize::InputArchive in;
    in.load_from(by_method);
    target->load(in);
    EXPECT_TRUE(torch::equal(target->forward(x), source->forward(x)))
        << ConstraintName(kind);
  }
}

TEST(LinearTest, EvaluationFollowsTheType) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear layer = RandomLayer(Config(kind, 9, 6));
    layer->eval();
    const at::Tensor x = torch::randn({2, 9});
    const at::Tensor single = layer->forward(x);
    layer->to(at::kDouble);
    const at::Tensor twice = layer->forward(x.to(at::kDouble));
    EXPECT_EQ(twice.scalar_type(), at::kDouble);
    EXPECT_TRUE(TensorsNear(single, twice, 1e-4)) << ConstraintName(kind);
    // Computed in float64, not widened.
    Linear fresh(Config(kind, 9, 6));
    fresh->to(at::kDouble);
    {
      torch::NoGradGuard no_grad;
      fresh->weight.copy_(layer->weight);
      fresh->bias.copy_(layer->bias);
    }
    fresh->eval();
    EXPECT_TRUE(TensorsNear(twice, fresh->forward(x.to(at::kDouble)), 1e-14))
        << ConstraintName(kind);
    layer->to(at::kFloat);
    EXPECT_TRUE(torch::equal(layer->forward(x), single))
        << ConstraintName(kind);
  }
}

TEST(LinearTest, EvaluationWeightDoesNotAliasTheParameter) {
  for (const ConstraintKind kind :
       {ConstraintKind::kNone, ConstraintKind::kParseval}) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    layer->eval();
    const at::Tensor weight = *layer->ConstrainedWeight();
    const at::Tensor copy = weight.clone();
    torch::NoGradGuard no_grad;
    layer->weight.add_(1);
    EXPECT_TRUE(torch::equal(weight, copy));
    EXPECT_TRUE(torch::equal(*layer->ConstrainedWeight(), copy + 1));
  }
}

// The authors' export copied the raw weight.
TEST(LinearTest, ConstrainedWeightIsTheOneThatForwardAppliesNotTheRawOne) {
  for (const ConstraintKind kind : AllKinds()) {
    if (kind == ConstraintKind::kNone || kind == ConstraintKind::kParseval) {
      continue;
    }
    LinearConfig config = Config(kind, 4, 3);
    config.bias = false;
    Linear layer = RandomLayer(config);
    {
      torch::NoGradGuard no_grad;
      layer->weight.mul_(10);
    }
    layer->eval();
    const at::Tensor weight = *layer->ConstrainedWeight();
    EXPECT_FALSE(weight.requires_grad());
    EXPECT_TRUE(TensorsNear(layer->forward(torch::eye(4)).t(), weight, 1e-6));
    EXPECT_FALSE(at::allclose(weight, layer->weight, 0, 0.1))
        << ConstraintName(kind);
  }
}

TEST(LinearTest, GradientsReachTheRawWeightInTraining) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear layer = RandomLayer(Config(kind, 4, 3));
    layer->forward(torch::randn({5, 4})).square().sum().backward();
    ASSERT_TRUE(layer->weight.grad().defined()) << ConstraintName(kind);
    EXPECT_GT(layer->weight.grad().abs().sum().item<double>(), 1e-3)
        << ConstraintName(kind);
    EXPECT_GT(layer->bias.grad().abs().sum().item<double>(), 1e-3);
  }
}

TEST(LinearTest, GradientsAgreeWithFiniteDifferences) {
  for (const ConstraintKind kind : AllKinds()) {
    for (const auto& [in, out] :
         std::vector<std::pair<int64_t, int64_t>>{{4, 3}, {3, 4}, {1, 3}}) {
      LinearConfig config = Config(kind, in, out);
      config.scale = 1.7;
      config.constraint.bjorck.iterations = 100;
      config.constraint.bjorck.tolerance = 1e-13;
      config.constraint.power_iterations = 500;
      // The tangential part of the gradient is not the gradient.
      config.constraint.project_gradient = false;
      Linear layer = RandomLayer(config, 8);
      layer->to(at::kDouble);
      torch::manual_seed(4);
      EXPECT_TRUE(GradientsAgree(
          [&](const std::vector<at::Tensor>& leaves) {
            layer->weight = leaves[1];
            layer->bias = leaves[2];
            return layer->forward(leaves[0]);
          },
          {torch::randn({2, in}, at::kDouble), layer->weight, layer->bias}))
          << ConstraintName(kind) << " " << in << " to " << out;
    }
  }
}

TEST(LinearTest, WrongInputWidthIsAnErrorWithTheLayerAndTheNumbers) {
  Linear layer(Config(ConstraintKind::kBjorck, 5, 3));
  for (const bool training : {true, false}) {
    layer->train(training);
    EXPECT_THAT(
        [&] {
          layer->forward(torch::zeros({2, 4}));
        },
        ThrowsMessage<c10::Error>(AllOf(HasSubstr("layer 'probe'"),
                                        HasSubstr("must be 5"),
                                        HasSubstr("[2, 4]"))));
    EXPECT_THROW(layer->forward(torch::tensor(1.0)), c10::Error);
  }
}

TEST(LinearTest, WeightThatIsNotFiniteIsAnErrorThatNamesTheLayer) {
  for (const ConstraintKind kind : AllKinds()) {
    for (const double bad : {kNan, kInfinity}) {
      for (const bool training : {true, false}) {
        Linear layer = RandomLayer(Config(kind, 4, 3));
        layer->train(training);
        torch::NoGradGuard no_grad;
        layer->weight[2][1] = bad;
        EXPECT_THAT(
            [&] {
              layer->forward(torch::zeros({2, 4}));
            },
            ThrowsMessage<c10::Error>(HasSubstr("layer 'probe'")))
            << ConstraintName(kind) << " " << bad << " " << training;
        const auto bounds = layer->LipschitzBounds();
        ASSERT_FALSE(bounds.ok()) << ConstraintName(kind);
        EXPECT_THAT(std::string(bounds.status().message()),
                    AllOf(HasSubstr("layer 'probe'"), HasSubstr("1 of 12")));
        // Mended in place, it works again.
        layer->weight[2][1] = 0.5;
        EXPECT_NO_THROW(layer->forward(torch::zeros({2, 4})))
            << ConstraintName(kind);
      }
    }
  }
}

TEST(LinearTest, ZeroWeightIsAnErrorWhereThereIsNothingToDivideBy) {
  for (const ConstraintKind kind :
       {ConstraintKind::kSpectral, ConstraintKind::kBjorck,
        ConstraintKind::kPolar, ConstraintKind::kStiefel}) {
    for (const bool training : {true, false}) {
      // Which applies the raw weight while it is trained.
      if (training && kind == ConstraintKind::kStiefel) continue;
      Linear layer(Config(kind, 4, 3));
      layer->train(training);
      {
        torch::NoGradGuard no_grad;
        layer->weight.zero_();
      }
      EXPECT_THAT(
          [&] {
            layer->forward(torch::zeros({2, 4}));
          },
          ThrowsMessage<c10::Error>(HasSubstr("layer 'probe'")));
      EXPECT_FALSE(layer->LipschitzBounds().ok());
    }
  }
  Linear layer(Config(ConstraintKind::kLinfProjection, 4, 3));
  {
    torch::NoGradGuard no_grad;
    layer->weight.zero_();
  }
  EXPECT_EQ(*layer->LipschitzBound(Norm::kLinf), 0.0);
}

TEST(LinearTest, BadConfigIsAnErrorThatNamesTheLayerAndTheNumbers) {
  const auto message = [](const LinearConfig& config) {
    EXPECT_EQ(config.Validate().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THROW(Linear{config}, c10::Error);
    return std::string(config.Validate().message());
  };
  LinearConfig config = Config(ConstraintKind::kBjorck, 0, -2);
  EXPECT_THAT(message(config),
              AllOf(HasSubstr("layer 'probe'"), HasSubstr("0 and -2")));
  for (const double scale : {0.0, -1.0, kInfinity, kNan}) {
    config = Config(ConstraintKind::kBjorck, 2, 2);
    config.scale = scale;
    EXPECT_THAT(message(config), HasSubstr("layer 'probe'"));
  }
  config = Config(ConstraintKind::kBjorck, 2, 2);
  config.constraint.bjorck.order = 7;
  EXPECT_THAT(message(config),
              AllOf(HasSubstr("layer 'probe'"), HasSubstr("got 7")));
}

TEST(LinearTest, SavedLayerIsTheSameLayerWithItsBuffers) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear source = RandomLayer(Config(kind, 6, 4), 1);
    const at::Tensor x = torch::randn({3, 6});
    for (int i = 0; i < 3; ++i) source->forward(x);
    std::stringstream stream;
    torch::save(source, stream);
    Linear target = RandomLayer(Config(kind, 6, 4), 2);
    torch::load(target, stream);
    const auto buffers = source->named_buffers();
    EXPECT_EQ(buffers.size(), kind == ConstraintKind::kSpectral  ? 2u
                              : kind == ConstraintKind::kStiefel ? 1u
                                                                 : 0u);
    for (const auto& buffer : buffers) {
      EXPECT_TRUE(
          torch::equal(buffer.value(), target->named_buffers()[buffer.key()]))
          << buffer.key();
    }
    // The next training forward depends on u.
    EXPECT_TRUE(torch::equal(source->forward(x), target->forward(x)))
        << ConstraintName(kind);
  }
}

TEST(LinearTest, BoundingDuringTrainingChangesNothing) {
  for (const ConstraintKind kind : AllKinds()) {
    Linear layer = RandomLayer(Config(kind, 6, 4), 1);
    Linear twin = RandomLayer(Config(kind, 6, 4), 1);
    const at::Tensor x = torch::randn({3, 6});
    const double in_training = *layer->LipschitzBound(Norm::kL2);
    EXPECT_TRUE(layer->is_training());
    for (const auto& child : layer->children()) {
      EXPECT_TRUE(child->is_training());
    }
    const at::Tensor y = layer->forward(x);
    EXPECT_TRUE(torch::equal(y, twin->forward(x))) << ConstraintName(kind);
    EXPECT_TRUE(y.requires_grad());
    // It is the bound of the evaluation weight.
    layer->eval();
    EXPECT_EQ(*layer->LipschitzBound(Norm::kL2), in_training);
  }
}

TEST(LinearTest, BoundAfterAWeightChangeInTrainingIsNotStale) {
  Linear layer = RandomLayer(Config(ConstraintKind::kNone, 6, 4), 1);
  const double bound = *layer->LipschitzBound(Norm::kL2);
  torch::NoGradGuard no_grad;
  layer->weight.mul_(2);
  EXPECT_NEAR(*layer->LipschitzBound(Norm::kL2), 2 * bound, 1e-6 * bound);
}

TEST(LinearTest, ParsevalPullsTheWeightAfterAStep) {
  Linear layer(Config(ConstraintKind::kParseval, 6, 4));
  const at::Tensor before = layer->weight.detach().clone();
  layer->AfterOptimizerStep();
  EXPECT_TRUE(TensorsNear(layer->weight,
                          1.5 * before - 0.5 * before.mm(before.t()).mm(before),
                          1e-6));
  EXPECT_TRUE(layer->weight.requires_grad());
}

TEST(LinearTest, RescalingAfterAStepKeepsTheMapButNotTheLength) {
  for (const ConstraintKind kind :
       {ConstraintKind::kBjorck, ConstraintKind::kPolar,
        ConstraintKind::kSpectral, ConstraintKind::kLinfRows}) {
    LinearConfig config = Config(kind, 6, 4);
    config.constraint.power_iterations = 100;
    Linear layer = RandomLayer(config);
    {
      torch::NoGradGuard no_grad;
      layer->weight.mul_(50);
    }
    const at::Tensor x = torch::randn({5, 6});
    layer->eval();
    const at::Tensor before = layer->forward(x);
    layer->train();
    layer->forward(x);
    layer->AfterOptimizerStep();
    const double sigma = SingularValues(layer->weight).max().item<double>();
    if (kind == ConstraintKind::kSpectral) {
      EXPECT_NEAR(sigma, 1, 1e-4);
    }
    if (kind == ConstraintKind::kBjorck) {
      EXPECT_LE(sigma, 1 + 1e-5);
      EXPECT_GT(sigma, 0.3);
    }
    if (kind == ConstraintKind::kPolar) {
      // An estimate.
      EXPECT_NEAR(sigma, 1, 0.2);
    }
    if (kind == ConstraintKind::kLinfRows) {
      EXPECT_TRUE(
          TensorsNear(layer->weight.abs().sum(1), torch::ones({4}), 1e-5));
    }
    // Once is enough: a second call finds nothing to do.
    const at::Tensor once = layer->weight.detach().clone();
    layer->AfterOptimizerStep();
    EXPECT_TRUE(TensorsNear(layer->weight, once, 1e-6)) << ConstraintName(kind);
    layer->eval();
    EXPECT_TRUE(TensorsNear(layer->forward(x), before, 1e-4))
        << ConstraintName(kind);
    EXPECT_TRUE(layer->weight.requires_grad());
  }
}

TEST(LinearTest, WeightWhoseLengthMattersIsNotRescaled) {
  std::vector<LinearConfig> configs;
  for (const ConstraintKind kind : AllKinds()) {
    if (kind == ConstraintKind::kParseval) continue;
    configs.push_back(Config(kind, 6, 4));
    configs.back().constraint.rescale_raw =
        kind != ConstraintKind::kBjorck && kind != ConstraintKind::kPolar &&
        kind != ConstraintKind::kSpectral && kind != ConstraintKind::kLinfRows;
  }
  // Scalings that do not follow the weight.
  for (const BjorckScaling scaling :
       {BjorckScaling::kNone, BjorckScaling::kSqrtSize}) {
    configs.push_back(Config(ConstraintKind::kBjorck, 6, 4));
    configs.back().constraint.bjorck.scaling = scaling;
  }
  for (const LinearConfig& config : configs) {
    Linear layer(config);
    layer->forward(torch::randn({2, 6}));
    const at::Tensor before = layer->weight.detach().clone();
    layer->AfterOptimizerStep();
    EXPECT_TRUE(torch::equal(layer->weight, before))
        << ConstraintName(config.constraint.kind);
  }
}

// One step of gradient descent on a loss that wants a larger output.
void Step(Linear& layer, const at::Tensor& x, double rate) {
  layer->weight.mutable_grad() = at::Tensor();
  layer->forward(x).sum().neg().backward();
  {
    torch::NoGradGuard no_grad;
    layer->weight.add_(layer->weight.grad(), -rate);
  }
  layer->AfterOptimizerStep();
}

TEST(StiefelLinearTest, WeightIsOrthonormalFromTheStartToTheEnd) {
  for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
           {20, 12}, {12, 20}, {16, 16}, {1, 9}, {9, 1}}) {
    for (const bool project : {true, false}) {
      LinearConfig config = Config(ConstraintKind::kStiefel, in, out);
      config.constraint.project_gradient = project;
      torch::manual_seed(6);
      Linear layer(config);
      EXPECT_LE(OrthonormalityDefect(layer->weight), 1e-6);
      for (int i = 0; i < 100; ++i) {
        Step(layer, torch::randn({32, in}), 1e-3);
        // Spectral norm 0.01 by an estimate, as a Frobenius norm.
        EXPECT_LE(OrthonormalityDefect(layer->weight), 0.05)
            << in << " to " << out << " step " << i;
      }
      layer->eval();
      EXPECT_LE(*layer->LipschitzBound(Norm::kL2), 1 + 1e-6);
      const at::Tensor x = torch::randn({4, in});
      const at::Tensor before = layer->forward(x);
      layer->AfterTraining();
      EXPECT_LE(OrthonormalityDefect(layer->weight), 1e-6);
      EXPECT_TRUE(TensorsNear(layer->forward(x), before, 1e-5));
      EXPECT_TRUE(torch::equal(*layer->ConstrainedWeight(), layer->weight));
    }
  }
}

TEST(StiefelLinearTest, RetractsAfterEveryStepWithoutAllowance) {
  LinearConfig config = Config(ConstraintKind::kStiefel, 12, 12);
  config.constraint.max_drift = 0.0;
  torch::manual_seed(7);
  Linear layer(config);
  for (int i = 0; i < 20; ++i) {
    Step(layer, torch::randn({8, 12}), 1e-3);
    EXPECT_LE(OrthonormalityDefect(layer->weight), 2e-4);
  }
}

TEST(StiefelLinearTest, GradientIsTangentToTheManifold) {
  for (const auto& [in, out] :
       std::vector<std::pair<int64_t, int64_t>>{{20, 12}, {12, 20}, {16, 16}}) {
    // Below and above the size from which the batch is the larger side.
    for (const int64_t batch : {3, 100}) {
      LinearConfig config = Config(ConstraintKind::kStiefel, in, out);
      torch::manual_seed(8);
      Linear layer(config);
      const at::Tensor x = torch::randn({batch, in});
      layer->forward(x).square().sum().backward();
      const at::Tensor w = layer->weight.detach();
      const at::Tensor g = layer->weight.grad();
      const at::Tensor product =
          out <= in ? at::mm(g, w.t()) : at::mm(w.t(), g);
      EXPECT_TRUE(
          TensorsNear(product, -product.t(), 1e-5 * g.norm().item<double>()))
          << in << " to " << out << " batch " << batch;
      EXPECT_GT(g.norm().item<double>(), 1e-2);
    }
  }
}

TEST(StiefelLinearTest, WithoutTheProjectionTheGradientIsThePlainOne) {
  for (const auto& [in, out] :
       std::vector<std::pair<int64_t, int64_t>>{{20, 12}, {12, 20}, {16, 16}}) {
    LinearConfig config = Config(ConstraintKind::kStiefel, in, out);
    const auto gradient = [&, columns = in](bool project) {
      config.constraint.project_gradient = project;
      torch::manual_seed(8);
      Linear layer(config);
      const at::Tensor x = torch::randn({7, columns});
      layer->forward(x).square().sum().backward();
      const at::Tensor y = torch::matmul(x, layer->weight.t()) + layer->bias;
      const at::Tensor plain =
          torch::autograd::grad({y.square().sum()}, {layer->weight})[0];
      return std::make_pair(layer->weight.grad().clone(), plain);
    };
    const auto [free, plain] = gradient(false);
    EXPECT_TRUE(TensorsNear(free, plain, 1e-4));
    const auto [projected, same] = gradient(true);
    EXPECT_TRUE(torch::equal(same, plain));
    EXPECT_GT((projected - plain).norm().item<double>(),
              0.05 * plain.norm().item<double>());
    // A part of it, and the other part is orthogonal to it.
    EXPECT_NEAR(((plain - projected) * projected).sum().item<double>(), 0.0,
                1e-4 * plain.square().sum().item<double>());
  }
}

TEST(StiefelLinearTest, OptimisersKeepItOnTheManifold) {
  enum class Kind { kSgd, kMomentum, kAdam };
  for (const Kind kind : {Kind::kSgd, Kind::kMomentum, Kind::kAdam}) {
    for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
             {20, 12}, {12, 20}, {16, 16}, {1, 9}, {9, 1}}) {
      for (const bool project : {true, false}) {
        torch::manual_seed(in + out);
        LinearConfig config = Config(ConstraintKind::kStiefel, in, out);
        config.constraint.project_gradient = project;
        Linear layer(config);
        std::unique_ptr<torch::optim::Optimizer> optimizer;
        if (kind == Kind::kAdam) {
          optimizer = std::make_unique<torch::optim::Adam>(
              layer->parameters(), torch::optim::AdamOptions(1e-2));
        } else {
          optimizer = std::make_unique<torch::optim::SGD>(
              layer->parameters(), torch::optim::SGDOptions(5e-3).momentum(
                                       kind == Kind::kMomentum ? 0.9 : 0.0));
        }
        const at::Tensor start = layer->weight.detach().clone();
        const at::Tensor target = torch::randn({out, in});
        for (int i = 0; i < 100; ++i) {
          const at::Tensor x = torch::randn({16, in});
          optimizer->zero_grad();
          (layer->forward(x) - x.mm(target.t())).square().mean().backward();
          optimizer->step();
          layer->AfterOptimizerStep();
          const at::Tensor sigma = SingularValues(layer->weight);
          // A retraction may leave this much, below one only.
          ASSERT_GE(sigma.min().item<double>(), 0.93) << "step " << i;
          ASSERT_LE(sigma.max().item<double>(), 1.01) << "step " << i;
        }
        if (in * out > 20) {
          EXPECT_GT((layer->weight - start).norm().item<double>(), 0.1);
        }
        // The bound is that of the weight that evaluation applies, in either
        // mode.
        EXPECT_LE(*layer->LipschitzBound(Norm::kL2), 1 + 1e-6);
        layer->eval();
        EXPECT_LE(*layer->LipschitzBound(Norm::kL2), 1 + 1e-6);
        const at::Tensor x = torch::randn({4, in});
        const at::Tensor y = layer->forward(x);
        const int64_t evaluations = layer->constraint_evaluations();
        EXPECT_TRUE(torch::equal(layer->forward(x), y));
        EXPECT_EQ(layer->constraint_evaluations(), evaluations);
        // After the training it is the stored one, bit for bit.
        layer->AfterTraining();
        EXPECT_TRUE(torch::equal(layer->forward(x), y));
        EXPECT_TRUE(torch::equal(*layer->ConstrainedWeight(), layer->weight));
        layer->train();
        EXPECT_TRUE(TensorsNear(layer->forward(x), y, 1e-6));
        EXPECT_TRUE(layer->weight.requires_grad());
      }
    }
  }
}

TEST(StiefelLinearTest, SavedModelKeepsItsBound) {
  for (const bool finished : {true, false}) {
    torch::manual_seed(3);
    Linear source(Config(ConstraintKind::kStiefel, 20, 12));
    for (int i = 0; i < 10; ++i) Step(source, torch::randn({8, 20}), 1e-2);
    if (finished) source->AfterTraining();
    std::stringstream stream;
    torch::save(source, stream);
    Linear target(Config(ConstraintKind::kStiefel, 20, 12));
    torch::load(target, stream);
    EXPECT_EQ(*target->LipschitzBound(Norm::kL2),
              *source->LipschitzBound(Norm::kL2));
    EXPECT_LE(*target->LipschitzBound(Norm::kL2), 1 + 1e-6);
    source->eval();
    target->eval();
    const at::Tensor x = torch::randn({3, 20});
    EXPECT_TRUE(torch::equal(target->forward(x), source->forward(x)));
    if (finished) {
      EXPECT_TRUE(torch::equal(*target->ConstrainedWeight(), target->weight));
    }
    // And goes on in the same way.
    source->train();
    target->train();
    for (int i = 0; i < 5; ++i) {
      const at::Tensor batch = torch::randn({8, 20});
      Step(source, batch, 1e-2);
      Step(target, batch, 1e-2);
    }
    EXPECT_TRUE(torch::equal(source->weight, target->weight));
  }
}

TEST(StiefelLinearTest, HugeFiniteStepIsMended) {
  for (const double rate : {1e2, 1e10, 1e30}) {
    torch::manual_seed(5);
    Linear layer(Config(ConstraintKind::kStiefel, 12, 8));
    Step(layer, torch::randn({8, 12}), rate);
    EXPECT_LE(OrthonormalityDefect(layer->weight), 1e-5) << rate;
  }
}

TEST(OrthonormalLinearTest, StepThatOverflowsIsAnErrorThatNamesTheLayer) {
  for (const ConstraintKind kind :
       {ConstraintKind::kStiefel, ConstraintKind::kPolar}) {
    for (const double bad : {kNan, kInfinity}) {
      torch::manual_seed(6);
      Linear layer(Config(kind, 5, 4));
      torch::optim::SGD optimizer(layer->parameters(), 1.0);
      layer->forward(torch::randn({3, 5})).sum().backward();
      layer->weight.mutable_grad()[1][2] = bad;
      optimizer.step();
      layer->AfterOptimizerStep();
      layer->AfterTraining();
      for (const bool training : {true, false}) {
        layer->train(training);
        EXPECT_THAT(
            [&] {
              layer->forward(torch::zeros({2, 5}));
            },
            ThrowsMessage<c10::Error>(
                AllOf(HasSubstr("layer 'probe'"), HasSubstr("not finite"))))
            << ConstraintName(kind);
      }
      EXPECT_FALSE(layer->LipschitzBounds().ok());
    }
  }
}

TEST(PolarLinearTest, IsTheLayerOfManyBjorckIterations) {
  for (const auto& [in, out] :
       std::vector<std::pair<int64_t, int64_t>>{{7, 4}, {4, 7}, {5, 5}}) {
    LinearConfig config = Config(ConstraintKind::kBjorck, in, out);
    config.constraint.bjorck.iterations = 60;
    config.constraint.bjorck.tolerance = 0.0;
    Linear bjorck = RandomLayer(config, 3);
    config.constraint.kind = ConstraintKind::kPolar;
    Linear polar = RandomLayer(config, 3);
    bjorck->to(at::kDouble);
    polar->to(at::kDouble);
    const at::Tensor x = torch::randn({6, in}, at::kDouble);
    for (const auto& layer : {bjorck, polar}) {
      layer.ptr()->forward(x).sin().sum().backward();
    }
    EXPECT_TRUE(TensorsNear(bjorck->forward(x), polar->forward(x), 1e-10));
    EXPECT_TRUE(TensorsNear(bjorck->weight.grad(), polar->weight.grad(), 1e-8));
    EXPECT_TRUE(TensorsNear(bjorck->bias.grad(), polar->bias.grad(), 1e-10));
  }
}

TEST(PolarLinearTest, WeightIsOrthonormalInBothModesThroughTheTraining) {
  torch::manual_seed(7);
  Linear layer(Config(ConstraintKind::kPolar, 20, 12));
  torch::optim::Adam optimizer(layer->parameters(),
                               torch::optim::AdamOptions(1e-2));
  for (int i = 0; i < 50; ++i) {
    optimizer.zero_grad();
    layer->forward(torch::randn({16, 20})).sum().neg().backward();
    optimizer.step();
    layer->AfterOptimizerStep();
    // Rescaled after every step.
    EXPECT_NEAR(SingularValues(layer->weight).max().item<double>(), 1.0, 0.25);
    layer->train(i % 2 == 0);
    EXPECT_LE(OrthonormalityDefect(*layer->ConstrainedWeight()), 1e-5);
    EXPECT_LE(*layer->LipschitzBound(Norm::kL2), 1 + 1e-6);
    layer->train();
  }
}

TEST(OrthonormalLinearTest, GradientPenaltyTrains) {
  for (const ConstraintKind kind :
       {ConstraintKind::kStiefel, ConstraintKind::kPolar}) {
    torch::manual_seed(8);
    Linear layer(Config(kind, 6, 4));
    const at::Tensor x = torch::randn({5, 6}).requires_grad_(true);
    const at::Tensor gradient = torch::autograd::grad(
        {layer->forward(x).tanh().sum()}, {x}, {}, /*retain_graph=*/true,
        /*create_graph=*/true)[0];
    (gradient.norm(2, 1) - 1).square().mean().backward();
    EXPECT_TRUE(layer->weight.grad().isfinite().all().item<bool>());
    EXPECT_GT(layer->weight.grad().norm().item<double>(), 1e-4)
        << ConstraintName(kind);
  }
}

}  // namespace
}  // namespace lipschitz
