#include "lipschitz/models/conv_net.h"

#include <torch/types.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;
using lipschitz::testing::Jacobian;
using lipschitz::testing::SingularValues;

struct Layout {
  std::string name;
  ConvNetConfig config;
  // Of the unconstrained network with MaxMin.
  int64_t parameters;
};

std::vector<Layout> Layouts() {
  return {
      {"LeNet", LeNet(1, 28, 28, 10),
       10 * 25 + 10 + 20 * 250 + 20 + 320 * 50 + 50 + 50 * 10 + 10},
      {"Small", SmallConvNet(1, 28, 28, 10),
       16 * 16 + 16 + 32 * 256 + 32 + 1568 * 100 + 100 + 100 * 10 + 10},
      {"Large", LargeConvNet(1, 28, 28, 10),
       32 * 9 + 32 + 32 * 512 + 32 + 64 * 288 + 64 + 64 * 1024 + 64 +
           3136 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10},
      {"GanCritic", GanCritic(1, 28, 28),
       64 * 16 + 64 + 128 * 1024 + 128 + 6272 * 1024 + 1024 + 1024 + 1},
  };
}

Sequential Make(const ConvNetConfig& config) {
  auto network = MakeConvNet(config);
  EXPECT_TRUE(network.ok()) << network.status();
  return *network;
}

void Constrain(ConvolutionConstraintKind convolution, ConstraintKind dense,
               ConvNetConfig* config) {
  config->convolution.kind = convolution;
  config->dense.kind = dense;
}

TEST(MakeConvNet, HasTheParametersOfItsLayout) {
  for (Layout& layout : Layouts()) {
    Constrain(ConvolutionConstraintKind::kNone, ConstraintKind::kNone,
              &layout.config);
    Sequential network = Make(layout.config);
    int64_t count = 0;
    for (const torch::Tensor& parameter : network->parameters()) {
      count += parameter.numel();
    }
    EXPECT_EQ(count, layout.parameters) << layout.name;
    const torch::Tensor y = network->forward(torch::rand({2, 784}));
    EXPECT_EQ(y.sizes(), at::IntArrayRef({2, layout.config.output_dim}))
        << layout.name;
  }
}

// A smaller network of the same kind: the bound is at least the largest
// singular value of the Jacobian anywhere, and 1 at most for a constraint.
TEST(MakeConvNet, IsOneLipschitzUnderEveryConstraint) {
  const struct {
    ConvolutionConstraintKind convolution;
    ConstraintKind dense;
    Norm norm;
  } kConstraints[] = {
      {ConvolutionConstraintKind::kRko, ConstraintKind::kBjorck, Norm::kL2},
      {ConvolutionConstraintKind::kOrthogonal, ConstraintKind::kStiefel,
       Norm::kL2},
      {ConvolutionConstraintKind::kBcop, ConstraintKind::kPolar, Norm::kL2},
      {ConvolutionConstraintKind::kSpectral, ConstraintKind::kSpectral,
       Norm::kL2},
      {ConvolutionConstraintKind::kRkoLinf, ConstraintKind::kLinfRows,
       Norm::kLinf},
  };
  for (const auto& constraint : kConstraints) {
    for (const bool pool : {false, true}) {
      SCOPED_TRACE(ConvolutionConstraintName(constraint.convolution) +
                   (pool ? " with pooling" : ""));
      torch::manual_seed(3);
      const int64_t size = pool ? 16 : 8;
      ConvNetConfig config = SmallConvNet(2, size, size, 3);
      config.stages[0].channels = config.stages[1].channels = 4;
      config.hidden = {6};
      if (pool) config.stages[0].max_pool = 2;
      Constrain(constraint.convolution, constraint.dense, &config);
      Sequential network = Make(config);
      network->to(torch::kDouble);
      network->eval();
      const auto bound = network->LipschitzBound(constraint.norm);
      ASSERT_TRUE(bound.ok()) << bound.status();
      EXPECT_LE(*bound, 1.0 + 1e-5);
      const torch::Tensor jacobian =
          Jacobian([&](const torch::Tensor& x) { return network->forward(x); },
                   torch::rand({1, config.InputDim()}, torch::kDouble));
      const double steepest = constraint.norm == Norm::kL2
                                  ? SingularValues(jacobian)[0].item<double>()
                                  : jacobian.abs().sum(1).max().item<double>();
      EXPECT_LE(steepest, *bound);
      EXPECT_GT(steepest, 1e-3);
    }
  }
}

// The networks of the experiments at their own size: the constant is proven and
// at most 1, and a step along the gradient does not grow by more.
TEST(MakeConvNet, KnownNetworksAreOneLipschitzAtTheirSize) {
  const struct {
    ConvolutionConstraintKind convolution;
    ConstraintKind dense;
    Norm norm;
  } kConstraints[] = {
      {ConvolutionConstraintKind::kRko, ConstraintKind::kStiefel, Norm::kL2},
      {ConvolutionConstraintKind::kOrthogonal, ConstraintKind::kStiefel,
       Norm::kL2},
      {ConvolutionConstraintKind::kRkoLinf, ConstraintKind::kLinfRows,
       Norm::kLinf},
  };
  for (const auto& constraint : kConstraints) {
    for (Layout& layout : Layouts()) {
      SCOPED_TRACE(
          absl::StrCat(layout.name, ", ",
                       ConvolutionConstraintName(constraint.convolution)));
      torch::manual_seed(7);
      Constrain(constraint.convolution, constraint.dense, &layout.config);
      Sequential network = Make(layout.config);
      network->eval();
      const auto bound = network->LipschitzBound(constraint.norm);
      ASSERT_TRUE(bound.ok()) << bound.status();
      EXPECT_LE(*bound, 1.0 + 1e-5);
      // A step along the gradient of the first output, where it grows most.
      const double order = constraint.norm == Norm::kL2
                               ? 2.0
                               : std::numeric_limits<double>::infinity();
      torch::Tensor x = torch::rand({2, 784}).requires_grad_(true);
      network->forward(x).select(1, 0).sum().backward();
      const torch::NoGradGuard no_grad;
      const torch::Tensor direction =
          constraint.norm == Norm::kL2 ? x.grad() : x.grad().sign();
      const torch::Tensor step =
          0.1 * direction / direction.norm(order, 1, /*keepdim=*/true);
      const torch::Tensor change =
          network->forward(x + step) - network->forward(x);
      const torch::Tensor slope = change.norm(order, 1) / step.norm(order, 1);
      EXPECT_LE(slope.max().item<double>(), *bound * (1 + 1e-4));
      EXPECT_GT(slope.min().item<double>(), 0.0);
    }
  }
}

TEST(MakeConvNet, KeepsTheGradientNormWhereAllLayersDo) {
  torch::manual_seed(4);
  ConvNetConfig config = SmallConvNet(1, 8, 8, 1);
  // 64 pixels, 4 · 16, 16 · 4: every layer keeps the number of entries.
  config.stages[0].channels = 4;
  config.stages[1].channels = 16;
  config.hidden = {64};
  Constrain(ConvolutionConstraintKind::kOrthogonal, ConstraintKind::kStiefel,
            &config);
  Sequential network = Make(config);
  network->to(torch::kDouble);
  network->eval();
  torch::Tensor x = torch::rand({5, 64}, torch::kDouble).requires_grad_(true);
  network->forward(x).sum().backward();
  EXPECT_TRUE(lipschitz::testing::TensorsNear(
      x.grad().norm(2, 1), torch::ones({5}, torch::kDouble), 1e-5));
}

TEST(MakeConvNet, ScalesToTheConstant) {
  torch::manual_seed(5);
  ConvNetConfig config = LeNet(1, 12, 12, 4);
  config.lipschitz_constant = 16.0;
  // 12×12 images: one pixel is left after the second pooling.
  config.stages[1].kernel = 3;
  Sequential network = Make(config);
  const auto bound = network->LipschitzBound(Norm::kL2);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_LE(*bound, 16.0 * (1 + 1e-4));
  EXPECT_GT(*bound, 4.0);
}

TEST(MakeConvNet, SortsOverChannels) {
  torch::manual_seed(6);
  ConvNetConfig config = SmallConvNet(1, 8, 8, 2);
  config.activation = ActivationSpec::FullSort();
  Sequential network = Make(config);
  // to_image, conv1, activation1
  const torch::Tensor image = network->layer(0)->forward(torch::rand({2, 64}));
  const torch::Tensor before = network->layer(1)->forward(image);
  const torch::Tensor after = network->layer(2)->forward(before);
  EXPECT_TRUE(torch::equal(after, std::get<0>(before.sort(1))));
}

TEST(ConvNetConfig, NamesTheLayerThatDoesNotFit) {
  const auto fails = [](const std::function<void(ConvNetConfig*)>& change,
                        const std::vector<std::string>& words) {
    ConvNetConfig config = LeNet(1, 28, 28, 10);
    change(&config);
    return FailsWith(MakeConvNet(config).status(), StatusCode::kInvalidArgument,
                     words);
  };
  EXPECT_TRUE(fails([](auto* c) { c->channels = 0; }, {"channels", "0"}));
  EXPECT_TRUE(fails([](auto* c) { c->height = 1 << 20; }, {"height"}));
  EXPECT_TRUE(
      fails([](auto* c) { c->stages[1].channels = 21; }, {"conv2", "21", "2"}));
  EXPECT_TRUE(
      fails([](auto* c) { c->stages[1].kernel = 13; }, {"conv2", "13"}));
  EXPECT_TRUE(
      fails([](auto* c) { c->stages[1].max_pool = 9; }, {"conv2", "8×8", "9"}));
  // Before anything of that size is made.
  EXPECT_TRUE(fails(
      [](auto* c) {
        c->stages[0].kernel = 2'000'000'000;
        c->stages[0].padding = 1'000'000'000;
      },
      {"conv1", "kernel", "2000000000"}));
  EXPECT_TRUE(fails(
      [](auto* c) {
        c->stages[0].padding = std::numeric_limits<int64_t>::max();
      },
      {"conv1", "padding"}));
  EXPECT_TRUE(fails([](auto* c) { c->stages[1].stride = 0; },
                    {"conv2", "stride", "0"}));
  EXPECT_TRUE(fails([](auto* c) { c->stages[0].max_pool = 20000; },
                    {"conv1", "max_pool", "20000"}));
  EXPECT_TRUE(fails([](auto* c) { c->hidden = {51}; }, {"linear1", "51"}));
  EXPECT_TRUE(fails([](auto* c) { c->lipschitz_constant = 0.0; },
                    {"lipschitz_constant"}));
  EXPECT_TRUE(fails([](auto* c) { c->dropout = 1.0; }, {"dropout"}));
}

}  // namespace
}  // namespace lipschitz
