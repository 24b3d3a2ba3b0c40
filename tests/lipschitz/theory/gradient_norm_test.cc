// What Anil, Lucas and Grosse (ICML 2019) prove about gradient norms: where
// they are kept, where they are lost, and what a network whose gradient never
// loses any cannot be.
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/mlp.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;

// A float64 network with orthonormal weights (to 1e-12) and random biases.
Sequential Orthonormal(int64_t input, const std::vector<int64_t>& hidden,
                       const ActivationSpec& activation, int64_t seed) {
  MlpConfig config;
  config.input_dim = input;
  config.hidden = hidden;
  config.activation = activation;
  config.constraint.kind = ConstraintKind::kBjorck;
  config.constraint.bjorck.tolerance = 1e-12;
  config.constraint.bjorck.iterations = 100;
  torch::manual_seed(seed);
  Sequential network = *MakeMlp(config);
  network->to(torch::kDouble);
  torch::NoGradGuard no_grad;
  for (auto& parameter : network->parameters()) parameter.normal_();
  network->eval();
  return network;
}

LinearImpl& LinearOf(const Sequential& network, size_t i) {
  return *std::dynamic_pointer_cast<LinearImpl>(network->layer(2 * i - 2));
}

at::Tensor Gradients(const Sequential& network, const at::Tensor& points) {
  const at::Tensor x = points.detach().clone().requires_grad_(true);
  Sequential mutable_network = network;
  return torch::autograd::grad({mutable_network->forward(x).sum()}, {x})[0];
}

at::Tensor GradientNorms(const Sequential& network, const at::Tensor& points) {
  return Gradients(network, points).norm(2, 1);
}

const std::vector<ActivationSpec> kPreserving = {
    ActivationSpec::MaxMin(), ActivationSpec::GroupSort(4),
    ActivationSpec::FullSort(), ActivationSpec::Abs()};

TEST(GradientNormTest, IsOneWhereNoLayerWidens) {
  const std::vector<std::vector<int64_t>> shapes = {
      {8}, {4}, {8, 8}, {8, 4, 4}, std::vector<int64_t>(12, 8),
  };
  for (const ActivationSpec& activation : kPreserving) {
    for (const auto& hidden : shapes) {
      for (const int64_t seed : {1, 2}) {
        const Sequential network = Orthonormal(8, hidden, activation, seed);
        const at::Tensor x = 3 * torch::randn({200, 8}, torch::kDouble);
        EXPECT_TRUE(TensorsNear(GradientNorms(network, x),
                                torch::ones({200}, torch::kDouble), 1e-9))
            << activation.Name() << ", depth " << hidden.size();
      }
    }
  }
}

TEST(GradientNormTest, IsOneThroughMaxOutWhichSelects) {
  MlpConfig config;
  const Sequential network =
      Orthonormal(8, {8, 4}, ActivationSpec::MaxOut(2), 3);
  const at::Tensor x = 3 * torch::randn({200, 8}, torch::kDouble);
  EXPECT_TRUE(TensorsNear(GradientNorms(network, x),
                          torch::ones({200}, torch::kDouble), 1e-9));
}

TEST(GradientNormTest, IsLostOnTheWayBackThroughALayerThatWidens) {
  // Orthonormal columns keep norms forwards; backwards they project.
  const Sequential network = Orthonormal(2, {8}, ActivationSpec::MaxMin(), 1);
  const at::Tensor x = 3 * torch::randn({500, 2}, torch::kDouble);
  const at::Tensor norms = GradientNorms(network, x);
  EXPECT_LE(norms.max().item<double>(), 1 + 1e-9);
  EXPECT_LT(norms.max().item<double>(), 0.95);
  // A case by hand: the gradient (1, 0) at the hidden layer, whose weight is
  // the column (0.6, 0.8).
  Sequential column;
  LinearConfig config;
  config.in_features = 1;
  config.out_features = 2;
  auto first = std::make_shared<LinearImpl>(config);
  config.in_features = 2;
  config.out_features = 1;
  auto second = std::make_shared<LinearImpl>(config);
  {
    torch::NoGradGuard no_grad;
    first->weight.copy_(Matrix({{.6}, {.8}}));
    second->weight.copy_(Matrix({{1, 0}}));
  }
  column->push_back("first", first);
  column->push_back("second", second);
  EXPECT_NEAR(GradientNorms(column, torch::zeros({1, 1})).item<double>(), 0.6,
              1e-6);
}

TEST(GradientNormTest, IsLostInRelu) {
  for (const size_t depth : {1, 3}) {
    const Sequential network = Orthonormal(8, std::vector<int64_t>(depth, 8),
                                           ActivationSpec::Relu(), 2);
    const at::Tensor x = 3 * torch::randn({500, 8}, torch::kDouble);
    const at::Tensor norms = GradientNorms(network, x);
    EXPECT_LE(norms.max().item<double>(), 1 + 1e-9);
    EXPECT_LT(norms.mean().item<double>(), 0.9);
    EXPECT_LT(norms.min().item<double>(), 0.5);
  }
}

// Largest distance of f on a segment from the straight line between its ends.
double Bend(Sequential network, const at::Tensor& points) {
  torch::NoGradGuard no_grad;
  const at::Tensor f = network->forward(points).squeeze(1);
  const at::Tensor t = torch::linspace(0, 1, points.size(0), torch::kDouble);
  const at::Tensor line = f[0] * (1 - t) + f[-1] * t;
  return (f - line).abs().max().item<double>();
}

at::Tensor Segment(const at::Tensor& from, const at::Tensor& to,
                   int64_t points) {
  const at::Tensor t =
      torch::linspace(0, 1, points, torch::kDouble).unsqueeze(1);
  return from * (1 - t) + to * t;
}

TEST(ReluWithUnitGradientTest, WhereEveryUnitIsActiveItIsAffine) {
  const Sequential network = Orthonormal(6, {6, 6}, ActivationSpec::Relu(), 4);
  {
    torch::NoGradGuard no_grad;
    LinearOf(network, 1).bias.fill_(100);
    // Larger than anything that the first layer's output can subtract.
    LinearOf(network, 2).bias.fill_(1000);
  }
  const at::Tensor x = torch::rand({300, 6}, torch::kDouble);
  EXPECT_TRUE(TensorsNear(GradientNorms(network, x),
                          torch::ones({300}, torch::kDouble), 1e-9));
  const at::Tensor gradients = Gradients(network, x);
  EXPECT_TRUE(TensorsNear(gradients, gradients[0].expand_as(gradients), 1e-9));
  EXPECT_LT(Bend(network, Segment(x[0], x[1], 100)), 1e-9);
}

// On a segment on which the gradient has norm 1 throughout, a ReLU network is
// affine, whatever its units do. Output weights are sparse, so that units may
// switch where nobody listens.
TEST(ReluWithUnitGradientTest, OnEverySegmentOfUnitGradientItIsAffine) {
  int64_t unit_segments = 0;
  int64_t with_a_switch = 0;
  int64_t bent_segments = 0;
  for (int64_t seed = 0; seed < 40; ++seed) {
    const size_t depth = seed % 2 == 0 ? 1 : 2;
    Sequential network = Orthonormal(4, std::vector<int64_t>(depth, 4),
                                     ActivationSpec::Relu(), seed);
    {
      torch::NoGradGuard no_grad;
      LinearImpl& output = LinearOf(network, depth + 1);
      output.weight.zero_();
      output.weight[0][seed % 4] = 0.8;
      if (seed % 3 == 0) output.weight[0][(seed + 1) % 4] = -0.6;
      if (depth == 2) {
        LinearImpl& middle = LinearOf(network, 2);
        middle.weight.copy_(torch::eye(4, torch::kDouble));
        middle.bias.fill_(2);
      }
    }
    for (int64_t i = 0; i < 40; ++i) {
      torch::manual_seed(1000 * seed + i);
      const at::Tensor ends = 2 * torch::randn({2, 4}, torch::kDouble);
      const at::Tensor segment = Segment(ends[0], ends[1], 400);
      const at::Tensor norms = GradientNorms(network, segment);
      ASSERT_LE(norms.max().item<double>(), 1 + 1e-9);
      const double bend = Bend(network, segment);
      if (norms.min().item<double>() < 1 - 1e-6) {
        bent_segments += bend > 1e-2 ? 1 : 0;
        continue;
      }
      ++unit_segments;
      EXPECT_LT(bend, 1e-9) << "seed " << seed << ", segment " << i;
      torch::NoGradGuard no_grad;
      const at::Tensor active = network->layer(0)->forward(segment) > 0;
      with_a_switch += (active != active[0]).any().item<bool>() ? 1 : 0;
    }
  }
  // The statement was tested on something, and its premise matters.
  EXPECT_GT(unit_segments, 50);
  EXPECT_GT(with_a_switch, 20);
  EXPECT_GT(bent_segments, 50);
}

TEST(ReluWithUnitGradientTest, MaxMinWithUnitGradientNeedNotBeAffine) {
  const Sequential network =
      Orthonormal(4, {4, 4}, ActivationSpec::MaxMin(), 5);
  double largest = 0;
  for (int64_t i = 0; i < 20; ++i) {
    const at::Tensor ends = 2 * torch::randn({2, 4}, torch::kDouble);
    const at::Tensor segment = Segment(ends[0], ends[1], 400);
    EXPECT_GT(GradientNorms(network, segment).min().item<double>(), 1 - 1e-9);
    largest = std::max(largest, Bend(network, segment));
  }
  EXPECT_GT(largest, 0.05);
}

// The dual objective of the absolute-value task: the mean over ±1 less the
// value at 0; the optimum over 1-Lipschitz functions is 1.
at::Tensor RiseFromTheMiddle(Sequential network) {
  const at::Tensor f = network->forward(
      torch::tensor({-1.0, 0.0, 1.0}, torch::kDouble).unsqueeze(1));
  return (0.5 * (f[0] + f[2]) - f[1]).squeeze();
}

Sequential OneHiddenLayer(const ActivationSpec& activation, int64_t width,
                          int64_t seed) {
  return Orthonormal(1, {width}, activation, seed);
}

// (f(1)+f(−1))/2 − f(0) = ½ Σ c_i w_i (t_i − s_i) ≤ ½ Σ |c_i w_i| ≤ ½, with t_i
// and s_i the shares of [0, 1] and [−1, 0] on which unit i is active.
TEST(AbsoluteValueTest, OneHiddenReluLayerRisesByAHalfAtMost) {
  for (const int64_t width : {1, 2, 3, 16, 128}) {
    for (int64_t seed = 0; seed < 60; ++seed) {
      Sequential network = OneHiddenLayer(ActivationSpec::Relu(), width, seed);
      torch::NoGradGuard no_grad;
      // Breakpoints inside and outside of [−1, 1].
      LinearOf(network, 1).bias.mul_(seed % 3 == 0 ? 0.1 : 1.0 / width);
      EXPECT_LE(RiseFromTheMiddle(network).item<double>(), 0.5 + 1e-9)
          << width << " " << seed;
    }
  }
}

// The largest rise that ascent reaches, and the largest on the way.
double Ascend(const ActivationSpec& activation, int64_t width, int64_t seed) {
  Sequential network = OneHiddenLayer(activation, width, seed);
  network->train();
  torch::optim::Adam optimizer(network->parameters(),
                               torch::optim::AdamOptions(0.05));
  double largest = -1;
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    const at::Tensor rise = RiseFromTheMiddle(network);
    largest = std::max(largest, rise.item<double>());
    (-rise).backward();
    optimizer.step();
  }
  return largest;
}

TEST(AbsoluteValueTest, OptimisedReluReachesTheHalfAndMaxMinReachesOne) {
  double relu = -1;
  double maxmin = -1;
  for (int64_t seed = 0; seed < 3; ++seed) {
    for (const int64_t width : {2, 8, 32}) {
      const double rise = Ascend(ActivationSpec::Relu(), width, seed);
      EXPECT_LE(rise, 0.5 + 1e-9) << width << " " << seed;
      relu = std::max(relu, rise);
    }
    const double rise = Ascend(ActivationSpec::MaxMin(), 8, seed);
    EXPECT_LE(rise, 1 + 1e-9);
    maxmin = std::max(maxmin, rise);
  }
  EXPECT_GT(relu, 0.49);
  EXPECT_GT(maxmin, 0.99);
}

}  // namespace
}  // namespace lipschitz
