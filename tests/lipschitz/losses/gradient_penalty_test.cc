#include "lipschitz/losses/gradient_penalty.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/data/random.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::GradientsAgree;
using testing::TensorsNear;

at::Tensor Random(const std::vector<int64_t>& shape, uint64_t seed) {
  return at::randn(shape, RandomSource(seed).generator(),
                   at::TensorOptions(at::kDouble));
}

TEST(GradientNormPenalty, OfALinearFunctionIsThatOfItsWeight) {
  for (const double length : {0.25, 1.0, 3.0}) {
    at::Tensor w = Random({6}, 1);
    w = (w * (length / w.norm())).requires_grad_(true);
    const at::Tensor x = Random({5, 2, 3}, 2).requires_grad_(true);
    const at::Tensor penalty = GradientNormPenalty(at::mv(x.flatten(1), w), x);
    EXPECT_NEAR(penalty.item<double>(), (length - 1) * (length - 1), 1e-12);
    penalty.backward();
    // d/dw (‖w‖ − 1)² = 2 (‖w‖ − 1) w/‖w‖.
    EXPECT_TRUE(
        TensorsNear(w.grad(), 2 * (length - 1) * w.detach() / length, 1e-12));
  }
}

TEST(GradientNormPenalty, IsTheMeanOverTheExamples) {
  // ∇ ½ s ‖x‖² = s x.
  const at::Tensor x = Random({7, 4}, 3).requires_grad_(true);
  const at::Tensor outputs = 0.5 * 0.7 * x.square().sum(1, /*keepdim=*/true);
  EXPECT_NEAR(GradientNormPenalty(outputs, x).item<double>(),
              (0.7 * x.detach().norm(2, 1) - 1).square().mean().item<double>(),
              1e-12);
}

TEST(GradientNormPenalty, ItsGradientAgreesWithDifferences) {
  const auto penalty = [](const std::vector<at::Tensor>& inputs) {
    const at::Tensor x = inputs[0].detach().requires_grad_(true);
    const at::Tensor hidden = at::tanh(at::mm(x, inputs[1]));
    return GradientNormPenalty(at::mm(hidden, inputs[2]), x).reshape({1});
  };
  const at::Tensor x = Random({3, 4}, 4);
  const auto of_weights = [&](const std::vector<at::Tensor>& weights) {
    return penalty({x, weights[0], weights[1]});
  };
  EXPECT_TRUE(
      GradientsAgree(of_weights, {Random({4, 5}, 5), Random({5, 1}, 6)}));
}

TEST(GradientNormPenalty, AConstantFunctionHasAPenaltyOfOneAndNoNan) {
  at::Tensor w = at::zeros({4}, at::kDouble).requires_grad_(true);
  const at::Tensor x = Random({3, 4}, 7).requires_grad_(true);
  const at::Tensor penalty = GradientNormPenalty(at::mv(x, w), x);
  EXPECT_EQ(penalty.item<double>(), 1.0);
  penalty.backward();
  EXPECT_TRUE(at::isfinite(w.grad()).all().item<bool>());
}

TEST(GradientNormPenalty, WhatDoesNotFitIsAnError) {
  const at::Tensor x = Random({3, 4}, 8).requires_grad_(true);
  EXPECT_THROW(GradientNormPenalty(x, x), c10::Error);
  EXPECT_THROW(GradientNormPenalty(x.detach().sum(1), x), c10::Error);
  EXPECT_THROW(
      RandomPointsBetween(x, x.narrow(0, 0, 2), RandomSource(0).generator()),
      c10::Error);
}

TEST(RandomPointsBetween, AreUniformOnTheSegments) {
  const RandomSource random(9);
  const at::Tensor x = Random({4000, 2, 3}, 10);
  const at::Tensor y = Random({4000, 2, 3}, 11);
  const at::Tensor points = RandomPointsBetween(x, y, random.generator());
  EXPECT_TRUE(points.requires_grad());
  const at::Tensor direction = (x - y).flatten(1);
  const at::Tensor offset = (points.detach() - y).flatten(1);
  const at::Tensor t = (offset * direction).sum(1) / direction.square().sum(1);
  // On the line, and between its ends, everywhere.
  EXPECT_TRUE(TensorsNear(offset, t.unsqueeze(1) * direction, 1e-12));
  EXPECT_GE(t.min().item<double>(), 0.0);
  EXPECT_LE(t.max().item<double>(), 1.0);
  EXPECT_NEAR(t.mean().item<double>(), 0.5, 0.02);
  EXPECT_NEAR(t.var().item<double>(), 1.0 / 12, 0.01);
}

}  // namespace
}  // namespace lipschitz
