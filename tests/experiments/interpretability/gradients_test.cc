#include "experiments/interpretability/gradients.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/float64_evaluation.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz::experiments {
namespace {

using lipschitz::testing::Affine;
using lipschitz::testing::Chain;
using lipschitz::testing::FailsWith;
using lipschitz::testing::Matrix;
using lipschitz::testing::RandomMlp;
using lipschitz::testing::TensorsNear;

at::Tensor Labels(const std::vector<int64_t>& values) {
  return at::tensor(values, at::TensorOptions(at::kLong));
}

// Logits W x: the direction is temperature · Wᵀ (e_target − softmax).
TEST(DirectionsTowardsTest, AreThoseOfTheCrossEntropy) {
  const at::Tensor w = Matrix({{1, -2, 0.5}, {0, 1, 3}});
  Sequential network = Chain({Affine(w).ptr()});
  const Float64Evaluation evaluation(*network);
  const at::Tensor x = Matrix({{0.1, 0.2, 0.3}, {1, -1, 0}, {0, 0, 0}});
  const at::Tensor targets = Labels({0, 1, 1});
  const double temperature = 1.7;
  const auto directions = DirectionsTowards(*network, x, targets, temperature);
  ASSERT_TRUE(directions.ok()) << directions.status();
  const at::Tensor probabilities =
      at::softmax(temperature * at::matmul(x, w.t()), 1);
  const at::Tensor expected =
      temperature *
      at::matmul(at::one_hot(targets, 2).to(at::kDouble) - probabilities, w);
  EXPECT_TRUE(TensorsNear(*directions, expected, 1e-12));
  EXPECT_FALSE(directions->requires_grad());
}

TEST(DirectionsTowardsTest, LeadThere) {
  Sequential network = RandomMlp(2, {6, 8, 8, 4}, ActivationSpec::MaxMin());
  network->eval();
  torch::manual_seed(1);
  const at::Tensor x = at::rand({20, 6});
  const at::Tensor targets = at::randint(0, 4, {20}, at::kLong);
  const auto directions = DirectionsTowards(*network, x, targets, 1.0);
  ASSERT_TRUE(directions.ok()) << directions.status();
  const auto loss = [&](const at::Tensor& input) {
    return -at::log_softmax(network->forward(input), 1)
                .gather(1, targets.unsqueeze(1));
  };
  EXPECT_TRUE((loss(x + 1e-2 * *directions) < loss(x)).all().item<bool>());
}

// Logits (x₀, 1 − x₀): class 0 from 1/2 on.
class TurnIntoTest : public ::testing::Test {
 protected:
  TurnIntoTest()
      : network_(Chain(
            {Affine(Matrix({{1, 0}, {-1, 0}}), Matrix({{0, 1}})[0]).ptr()})) {}
  Sequential network_;
};

TEST_F(TurnIntoTest, CountsStepsOfFixedLength) {
  TurningOptions options;
  options.step = 0.1;
  const auto turning = TurnInto(
      *network_, Matrix({{0.22, 0.7}, {0.8, 0.3}, {0.9, 0.1}}).to(at::kFloat),
      Labels({0, 0, 1}), options);
  ASSERT_TRUE(turning.ok()) << turning.status();
  // From 0.22 to above 0.5 three steps; nothing to do; from 0.9 to below 0.5
  // five, since four end at the tie or beside it.
  EXPECT_EQ(turning->steps[0].item<int64_t>(), 3);
  EXPECT_EQ(turning->steps[1].item<int64_t>(), 0);
  EXPECT_NEAR(static_cast<double>(turning->steps[2].item<int64_t>()), 4.5, 0.6);
  EXPECT_TRUE(TensorsNear(turning->x.narrow(0, 0, 2).to(at::kDouble),
                          Matrix({{0.52, 0.7}, {0.8, 0.3}}), 1e-6));
}

TEST_F(TurnIntoTest, GoesOnWhereItIsTold) {
  TurningOptions options;
  options.step = 0.1;
  options.most_steps = 4;
  options.stop_there = false;
  const auto turning =
      TurnInto(*network_, Matrix({{0.22, 0.7}, {0.8, 0.3}}).to(at::kFloat),
               Labels({0, 0}), options);
  ASSERT_TRUE(turning.ok()) << turning.status();
  EXPECT_EQ(turning->steps[0].item<int64_t>(), 3);
  EXPECT_EQ(turning->steps[1].item<int64_t>(), 0);
  EXPECT_TRUE(TensorsNear(turning->x.to(at::kDouble),
                          Matrix({{0.62, 0.7}, {1.0, 0.3}}), 1e-6));
}

TEST_F(TurnIntoTest, StopsAtTheLimitAndInTheBox) {
  TurningOptions options;
  options.step = 0.1;
  options.most_steps = 2;
  const at::Tensor x = Matrix({{0.1, 0.5}}).to(at::kFloat);
  auto turning = TurnInto(*network_, x, Labels({0}), options);
  ASSERT_TRUE(turning.ok()) << turning.status();
  EXPECT_EQ(turning->steps[0].item<int64_t>(), -1);
  EXPECT_NEAR(turning->x[0][0].item<double>(), 0.3, 1e-6);
  // One step would lead to 7.1.
  options.step = 7.0;
  turning = TurnInto(*network_, x, Labels({0}), options);
  ASSERT_TRUE(turning.ok()) << turning.status();
  EXPECT_EQ(turning->steps[0].item<int64_t>(), 1);
  EXPECT_EQ(turning->x[0][0].item<double>(), 1.0);
}

TEST_F(TurnIntoTest, WithoutADirectionNothingMoves) {
  Sequential constant = Chain({Affine(Matrix({{0, 0}, {0, 0}})).ptr()});
  const at::Tensor x = Matrix({{0.1, 0.5}}).to(at::kFloat);
  const auto turning = TurnInto(*constant, x, Labels({1}), {});
  ASSERT_TRUE(turning.ok()) << turning.status();
  EXPECT_EQ(turning->steps[0].item<int64_t>(), -1);
  EXPECT_TRUE(turning->x.equal(x));
}

TEST_F(TurnIntoTest, BadInputIsAnError) {
  const at::Tensor x = at::rand({1, 2});
  TurningOptions options;
  options.step = 0.0;
  EXPECT_TRUE(FailsWith(TurnInto(*network_, x, Labels({0}), options),
                        absl::StatusCode::kInvalidArgument, {"step", "0"}));
  EXPECT_FALSE(TurnInto(*network_, x, Labels({2}), {}).ok());
}

}  // namespace
}  // namespace lipschitz::experiments
