#include "lipschitz/models/mlp.h"

#include <torch/torch.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;

MlpConfig Config(int64_t input, const std::vector<int64_t>& hidden,
                 int64_t output) {
  MlpConfig config;
  config.input_dim = input;
  config.hidden = hidden;
  config.output_dim = output;
  return config;
}

Sequential Make(const MlpConfig& config) {
  auto network = MakeMlp(config);
  EXPECT_TRUE(network.ok()) << network.status();
  return *network;
}

// The i-th linear layer, from 1.
LinearImpl& LinearOf(const Sequential& network, size_t i) {
  return *std::dynamic_pointer_cast<LinearImpl>(network->layer(2 * i - 2));
}

std::string ErrorOf(const MlpConfig& config) {
  const absl::Status status = config.Validate();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeMlp(config).status(), status);
  return std::string(status.message());
}

TEST(MlpTest, MapsBatchesOfInputsToBatchesOfOutputs) {
  Sequential network = Make(Config(7, {8, 6, 4}, 3));
  EXPECT_EQ(network->size(), 7u);
  EXPECT_EQ(network->forward(torch::zeros({5, 7})).sizes(),
            (std::vector<int64_t>{5, 3}));
  EXPECT_EQ(network->forward(torch::zeros({1, 7})).sizes(),
            (std::vector<int64_t>{1, 3}));
}

TEST(MlpTest, ParametersAreNamedByLayer) {
  Sequential network = Make(Config(2, {4, 4}, 1));
  std::vector<std::string> names;
  for (const auto& parameter : network->named_parameters()) {
    names.push_back(parameter.key());
  }
  EXPECT_EQ(names, (std::vector<std::string>{
                       "linear1.weight", "linear1.bias", "linear2.weight",
                       "linear2.bias", "linear3.weight", "linear3.bias"}));
}

TEST(MlpTest, ClassifierOfThePaperHasItsNumberOfParameters) {
  int64_t count = 0;
  for (const auto& p :
       Make(Config(784, {1024, 1024, 1024}, 10))->parameters()) {
    count += p.numel();
  }
  EXPECT_EQ(count, 2913290);
}

TEST(MlpTest, WithoutBiasZeroMapsToZero) {
  MlpConfig config = Config(3, {4}, 2);
  config.bias = false;
  Sequential network = Make(config);
  EXPECT_EQ(network->parameters().size(), 2u);
  EXPECT_TRUE(torch::equal(network->forward(torch::zeros({1, 3})),
                           torch::zeros({1, 2})));
}

TEST(MlpTest, WithoutHiddenLayersItIsAffine) {
  Sequential network = Make(Config(5, {}, 2));
  EXPECT_EQ(network->size(), 1u);
  network->to(torch::kDouble);
  const at::Tensor x = torch::randn({9, 5}, torch::kDouble);
  const at::Tensor y = torch::randn({9, 5}, torch::kDouble);
  EXPECT_TRUE(TensorsNear(network->forward(0.3 * x + 0.7 * y),
                          0.3 * network->forward(x) + 0.7 * network->forward(y),
                          1e-12));
}

TEST(MlpTest, EqualsItsLayersByHand) {
  MlpConfig config = Config(3, {6, 4}, 2);
  config.activations = {ActivationSpec::FullSort(), ActivationSpec::Relu()};
  config.lipschitz_constant = 8;
  Sequential network = Make(config);
  const at::Tensor x = torch::randn({5, 3});
  network->eval();
  const auto affine = [&](size_t i, const at::Tensor& in) {
    LinearImpl& layer = LinearOf(network, i);
    return 2 * (in.mm(layer.ConstrainedWeight()->t()) + layer.bias);
  };
  const at::Tensor expected =
      affine(3, affine(2, std::get<0>(affine(1, x).sort(1))).clamp_min(0));
  EXPECT_TRUE(TensorsNear(network->forward(x), expected, 1e-5));
}

TEST(MlpTest, EveryLayerHasItsOwnConstraintAndActivation) {
  MlpConfig config = Config(3, {6, 4}, 2);
  config.activations = {ActivationSpec::GroupSort(3), ActivationSpec::Abs()};
  config.constraints.resize(3);
  config.constraints[0].kind = ConstraintKind::kL2ToLinf;
  config.constraints[1].kind = ConstraintKind::kLinfProjection;
  config.constraints[2].kind = ConstraintKind::kNone;
  // What the whole network would have had.
  config.constraint.kind = ConstraintKind::kSpectral;
  config.activation = ActivationSpec::Relu();
  Sequential network = Make(config);
  for (size_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(LinearOf(network, i).config().constraint.kind,
              config.constraints[i - 1].kind);
  }
  for (size_t i = 1; i <= 2; ++i) {
    const auto activation =
        std::dynamic_pointer_cast<ActivationImpl>(network->layer(2 * i - 1));
    ASSERT_NE(activation, nullptr);
    EXPECT_TRUE(activation->spec() == config.activations[i - 1]);
  }
}

TEST(MlpTest, ConstantIsSpreadOverTheLayers) {
  for (const ConstraintKind kind :
       {ConstraintKind::kBjorck, ConstraintKind::kSpectral}) {
    MlpConfig config = Config(12, {12, 12, 12}, 12);
    config.constraint.kind = kind;
    config.lipschitz_constant = 1000;
    Sequential network = Make(config);
    for (size_t i = 1; i <= 4; ++i) {
      EXPECT_NEAR(LinearOf(network, i).config().scale, 5.62341, 1e-5);
    }
    EXPECT_NEAR(*network->LipschitzBound(Norm::kL2) / 1000, 1, 1e-5);
  }
  MlpConfig linf = Config(12, {12, 12, 12}, 3);
  linf.constraint.kind = ConstraintKind::kLinfRows;
  linf.lipschitz_constant = 0.1;
  // The way through other norms may prove less, never more.
  EXPECT_LE(*Make(linf)->LipschitzBound(Norm::kLinf), 0.1 + 1e-6);
}

// 98/49 in floating point is a little less than 2, and was cut to 1.
TEST(MlpTest, WidthAfterMaxOutIsAnIntegerDivision) {
  MlpConfig config = Config(3, {98}, 1);
  config.activation = ActivationSpec::MaxOut(49);
  Sequential network = Make(config);
  EXPECT_EQ(LinearOf(network, 2).config().in_features, 2);
  EXPECT_EQ(network->forward(torch::zeros({4, 3})).size(1), 1);
  for (int64_t group = 2; group <= 64; ++group) {
    for (const int64_t groups : {1, 2, 7}) {
      config = Config(2, {group * groups}, 1);
      config.activation = ActivationSpec::MaxOut(group);
      ASSERT_EQ(LinearOf(Make(config), 2).config().in_features, groups)
          << group;
    }
  }
}

TEST(MlpTest, WidthAfterCReluDoubles) {
  MlpConfig config = Config(3, {5, 6}, 1);
  config.activation = ActivationSpec::CRelu();
  Sequential network = Make(config);
  EXPECT_EQ(LinearOf(network, 2).config().in_features, 10);
  EXPECT_EQ(LinearOf(network, 3).config().in_features, 12);
  EXPECT_EQ(network->forward(torch::zeros({4, 3})).size(1), 1);
}

TEST(MlpTest, GroupSizeThatDoesNotDivideIsAnErrorWithLayerAndNumbers) {
  MlpConfig config = Config(3, {8, 10}, 1);
  config.activation = ActivationSpec::GroupSort(4);
  EXPECT_THAT(ErrorOf(config),
              AllOf(HasSubstr("hidden layer 2"), HasSubstr("10"),
                    HasSubstr("group size 4")));
  config = Config(3, {7}, 1);
  EXPECT_THAT(ErrorOf(config), AllOf(HasSubstr("hidden layer 1"),
                                     HasSubstr("7"), HasSubstr("2")));
  // Never a silent floor or another grouping.
  config.activation = ActivationSpec::MaxOut(3);
  EXPECT_THAT(ErrorOf(config), HasSubstr("hidden layer 1"));
}

TEST(MlpTest, BadConfigIsAnErrorWithTheNumbers) {
  EXPECT_THAT(ErrorOf(Config(0, {4}, 1)),
              AllOf(HasSubstr("'linear1'"), HasSubstr("0 and 4")));
  EXPECT_THAT(ErrorOf(Config(3, {4, -2}, 1)),
              AllOf(HasSubstr("'linear2'"), HasSubstr("4 and -2")));
  EXPECT_THAT(ErrorOf(Config(3, {4}, 0)),
              AllOf(HasSubstr("'linear2'"), HasSubstr("4 and 0")));
  MlpConfig config = Config(3, {4, 4}, 1);
  config.activations = {ActivationSpec::MaxMin()};
  EXPECT_THAT(ErrorOf(config), HasSubstr("1 activations for 2"));
  config = Config(3, {4, 4}, 1);
  config.constraints.resize(2);
  EXPECT_THAT(ErrorOf(config), HasSubstr("2 constraints for 3"));
  for (const double k : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                         std::numeric_limits<double>::quiet_NaN()}) {
    config = Config(3, {4}, 1);
    config.lipschitz_constant = k;
    EXPECT_THAT(ErrorOf(config), HasSubstr("lipschitz_constant"));
  }
  config = Config(3, {4}, 1);
  config.constraint.bjorck.beta = 0.7;
  EXPECT_THAT(ErrorOf(config), AllOf(HasSubstr("'linear1'"), HasSubstr("0.7")));
}

TEST(MlpTest, WrongInputNamesTheLayer) {
  Sequential network = Make(Config(3, {4}, 1));
  // A sample size that is a multiple of the input's width is no excuse.
  EXPECT_THAT(
      [&] {
        network->forward(torch::zeros({2, 6}));
      },
      ::testing::ThrowsMessage<c10::Error>(
          AllOf(HasSubstr("'linear1'"), HasSubstr("[2, 6]"))));
}

TEST(MlpTest, DropoutComesAfterEveryActivationAndIsGoneInEvaluation) {
  MlpConfig config = Config(3, {6, 4}, 2);
  torch::manual_seed(5);
  Sequential plain = Make(config);
  config.dropout = 0.5;
  torch::manual_seed(5);
  Sequential network = Make(config);
  ASSERT_EQ(network->size(), 7u);
  for (const size_t i : {2, 5}) {
    const auto dropout =
        std::dynamic_pointer_cast<DropoutImpl>(network->layer(i));
    ASSERT_NE(dropout, nullptr);
    EXPECT_EQ(dropout->rate(), 0.5);
  }
  const at::Tensor x = torch::randn({50, 3});
  EXPECT_FALSE(torch::equal(network->forward(x), plain->forward(x)));
  network->eval();
  plain->eval();
  EXPECT_TRUE(torch::equal(network->forward(x), plain->forward(x)));
  for (const Norm norm : kAllNorms) {
    EXPECT_EQ(*network->LipschitzBound(norm), *plain->LipschitzBound(norm));
  }
  for (const double rate : {-0.1, 1.0}) {
    config.dropout = rate;
    EXPECT_THAT(ErrorOf(config), HasSubstr("dropout"));
  }
}

TEST(MlpTest, SameSeedGivesTheSameWeights) {
  const MlpConfig config = Config(3, {4}, 1);
  torch::manual_seed(5);
  Sequential a = Make(config);
  torch::manual_seed(5);
  Sequential b = Make(config);
  for (size_t i = 0; i < a->parameters().size(); ++i) {
    EXPECT_TRUE(torch::equal(a->parameters()[i], b->parameters()[i]));
  }
}

}  // namespace
}  // namespace lipschitz
