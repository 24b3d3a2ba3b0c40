#include "lipschitz/diagnostics/affine_chain.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::Affine;
using testing::Chain;
using testing::FailsWith;
using testing::RandomMlp;

const std::vector<ActivationSpec>& Activations() {
  static const auto& activations = *new std::vector<ActivationSpec>{
      ActivationSpec::Identity(),   ActivationSpec::Relu(),
      ActivationSpec::LeakyRelu(),  ActivationSpec::LeakyRelu(-0.5),
      ActivationSpec::Abs(),        ActivationSpec::CRelu(),
      ActivationSpec::MaxOut(4),    ActivationSpec::MaxMin(),
      ActivationSpec::GroupSort(4), ActivationSpec::FullSort()};
  return activations;
}

// The steps one after the other, at one input.
std::vector<double> Evaluate(const std::vector<ChainStep>& steps,
                             std::vector<double> values) {
  for (const ChainStep& step : steps) {
    EXPECT_EQ(step.width, static_cast<int64_t>(values.size()));
    std::vector<double> next;
    if (step.is_affine) {
      for (int64_t i = 0; i < step.affine.rows; ++i) {
        double sum = step.affine.bias[i];
        for (int64_t j = 0; j < step.affine.columns; ++j) {
          sum += step.affine.weight[i * step.affine.columns + j] * values[j];
        }
        next.push_back(sum);
      }
    } else {
      for (const Selection& selection : SelectionsAt(step.activation, values)) {
        next.push_back(selection.factor * values[selection.source]);
      }
    }
    values = next;
  }
  return values;
}

TEST(AffineChainTest, ComputesWhatTheNetworkDoes) {
  for (const ActivationSpec& activation : Activations()) {
    Sequential network =
        RandomMlp(1, {3, 8, 4, 2}, activation, ConstraintKind::kSpectral, 3.0);
    network->to(at::kDouble);
    network->train();
    const auto steps = AffineChainOf(*network);
    ASSERT_TRUE(steps.ok()) << steps.status();
    EXPECT_TRUE(network->is_training());
    network->eval();
    const at::Tensor x = at::randn({20, 3}, at::kDouble);
    const at::Tensor y = network->forward(x);
    for (int64_t b = 0; b < 20; ++b) {
      std::vector<double> input;
      for (int64_t i = 0; i < 3; ++i) input.push_back(x[b][i].item<double>());
      const std::vector<double> output = Evaluate(*steps, input);
      ASSERT_EQ(output.size(), 2u);
      EXPECT_NEAR(output[0], y[b][0].item<double>(), 1e-13);
      EXPECT_NEAR(output[1], y[b][1].item<double>(), 1e-13)
          << activation.Name();
    }
  }
}

TEST(AffineChainTest, SelectionsAreTheJacobiansOfTheActivations) {
  torch::manual_seed(2);
  for (const ActivationSpec& activation : Activations()) {
    Activation layer(activation);
    for (int repeat = 0; repeat < 5; ++repeat) {
      at::Tensor x = at::randn({1, 8}, at::kDouble);
      // With ties, at which sorts are stable.
      if (repeat > 2) x[0][1] = x[0][2] = x[0][0];
      const at::Tensor jacobian = testing::Jacobian(
          [&](const at::Tensor& at) { return layer->forward(at); }, x);
      std::vector<double> values;
      for (int64_t i = 0; i < 8; ++i) values.push_back(x[0][i].item<double>());
      const auto selections = SelectionsAt(activation, values);
      at::Tensor matrix = at::zeros_like(jacobian);
      ASSERT_EQ(static_cast<int64_t>(selections.size()), jacobian.size(0));
      for (size_t i = 0; i < selections.size(); ++i) {
        matrix[i][selections[i].source] = selections[i].factor;
      }
      EXPECT_TRUE(testing::TensorsNear(matrix, jacobian, 1e-15))
          << activation.Name();
    }
  }
}

TEST(AffineChainTest, SelectionsDependOnTheDecidingPairsAlone) {
  using Pairs = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(DecidingPairs(ActivationSpec::Identity(), 3), Pairs{});
  EXPECT_EQ(DecidingPairs(ActivationSpec::Relu(), 2),
            (Pairs{{0, -1}, {1, -1}}));
  EXPECT_EQ(DecidingPairs(ActivationSpec::MaxMin(), 4),
            (Pairs{{0, 1}, {2, 3}}));
  EXPECT_EQ(DecidingPairs(ActivationSpec::GroupSort(3), 6),
            (Pairs{{0, 1}, {0, 2}, {1, 2}, {3, 4}, {3, 5}, {4, 5}}));
  EXPECT_EQ(DecidingPairs(ActivationSpec::FullSort(), 5).size(), 10u);
}

TEST(AffineChainTest, TakesTheSlopeThatFloat32MultipliesBy) {
  Sequential network = RandomMlp(1, {2, 4, 1}, ActivationSpec::LeakyRelu(0.1));
  EXPECT_EQ((*AffineChainOf(*network))[1].activation.negative_slope,
            static_cast<double>(0.1f));
  network->to(at::kDouble);
  EXPECT_EQ((*AffineChainOf(*network))[1].activation.negative_slope, 0.1);
}

TEST(AffineChainTest, SaysWhatIsWrong) {
  const auto affine = [](int64_t out, int64_t in) {
    return Affine(at::ones({out, in})).ptr();
  };
  const auto relu = std::make_shared<ActivationImpl>(ActivationSpec::Relu());
  EXPECT_EQ(AffineChainOf(*Chain({affine(3, 2), relu,
                                  std::make_shared<DropoutImpl>(0.5)}))
                ->size(),
            2u);
  EXPECT_TRUE(FailsWith(
      AffineChainOf(
          *Chain({affine(2, 2), std::make_shared<ResidualImpl>(affine(2, 2))})),
      StatusCode::kFailedPrecondition, {"layer1", "Linear layers"}));
  EXPECT_TRUE(FailsWith(AffineChainOf(*Chain({relu, affine(2, 2)})),
                        StatusCode::kFailedPrecondition,
                        {"layer0", "first layer"}));
  EXPECT_TRUE(FailsWith(AffineChainOf(*Chain({})),
                        StatusCode::kFailedPrecondition, {"no layers"}));
  EXPECT_TRUE(FailsWith(AffineChainOf(*Chain({affine(3, 2), affine(2, 4)})),
                        StatusCode::kInvalidArgument, {"layer1", "4", "3"}));
  EXPECT_TRUE(FailsWith(
      AffineChainOf(*Chain({affine(3, 2), std::make_shared<ActivationImpl>(
                                              ActivationSpec::MaxMin())})),
      StatusCode::kInvalidArgument, {"layer1", "width 3"}));
  EXPECT_TRUE(FailsWith(
      AffineChainOf(*Chain({affine(3, 2), std::make_shared<ActivationImpl>(
                                              ActivationSpec::Relu(), 0)})),
      StatusCode::kFailedPrecondition, {"layer1", "dimension 0"}));
  Linear infinite = Affine(at::ones({2, 2}), at::full({2}, INFINITY));
  EXPECT_TRUE(FailsWith(AffineChainOf(*Chain({infinite.ptr()})),
                        StatusCode::kInvalidArgument,
                        {"layer0", "not finite"}));
}

}  // namespace
}  // namespace lipschitz
