#include "lipschitz/layers/pair_maximum.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/autograd.h>

#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::GradientsAgree;

// Small whole numbers, so that windows have ties.
at::Tensor WithTies(at::IntArrayRef shape, at::ScalarType type) {
  return at::randint(-2, 3, shape).to(type);
}

std::vector<std::vector<int64_t>> Shapes() {
  return {{1, 1, 2, 2}, {3, 2, 4, 6}, {2, 3, 5, 7},    {5, 10, 24, 24},
          {2, 1, 3, 2}, {0, 3, 4, 4}, {64, 16, 14, 14}};
}

TEST(PairMaximum, IsThatOfLibTorchToTheLastBit) {
  at::manual_seed(0);
  for (const auto& shape : Shapes()) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      for (const at::Tensor& x :
           {at::randn(shape).to(type), WithTies(shape, type)}) {
        const at::Tensor ours = x.clone().requires_grad_();
        const at::Tensor theirs = x.clone().requires_grad_();
        const at::Tensor value = PairMaximum(ours);
        const at::Tensor expected = at::max_pool2d(theirs, 2);
        ASSERT_TRUE(value.equal(expected)) << x.sizes();
        EXPECT_TRUE(PairMaximum(x).equal(expected));
        const at::Tensor direction = at::randn_like(value);
        EXPECT_TRUE(
            torch::autograd::grad({value}, {ours}, {direction})[0].equal(
                torch::autograd::grad({expected}, {theirs}, {direction})[0]))
            << x.sizes();
      }
    }
  }
}

TEST(PairMaximum, PassesNanOnAsLibTorchDoes) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const at::Tensor x = at::tensor({1.0, nan, 2.0, 3.0, -infinity, -infinity,  //
                                   0.0, 5.0, nan, nan, -infinity, -infinity},
                                  at::kDouble)
                           .reshape({1, 1, 2, 6});
  const at::Tensor ours = x.clone().requires_grad_();
  const at::Tensor theirs = x.clone().requires_grad_();
  const at::Tensor value = PairMaximum(ours);
  const at::Tensor expected = at::max_pool2d(theirs, 2);
  EXPECT_TRUE(value.isnan().equal(expected.isnan()));
  EXPECT_EQ(value[0][0][0][2].item<double>(), -infinity);
  const at::Tensor ones = at::ones_like(value);
  EXPECT_TRUE(torch::autograd::grad({value}, {ours}, {ones})[0].equal(
      torch::autograd::grad({expected}, {theirs}, {ones})[0]));
}

TEST(PairMaximum, HasSecondDerivatives) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({2, 2, 5, 4}, at::kDouble);
  EXPECT_TRUE(GradientsAgree(
      [](const auto& in) { return PairMaximum(in[0]).square(); }, {x}));
  // Of a gradient: what a penalty on gradients differentiates.
  const auto penalty_gradient = [&x](auto maximum) {
    const at::Tensor point = x.clone().requires_grad_();
    const at::Tensor gradient =
        torch::autograd::grad({maximum(point).pow(3).sum()}, {point}, {},
                              /*retain_graph=*/true, /*create_graph=*/true)[0];
    return torch::autograd::grad({gradient.square().sum()}, {point})[0];
  };
  EXPECT_TRUE(penalty_gradient([](const at::Tensor& point) {
                return PairMaximum(point);
              }).equal(penalty_gradient([](const at::Tensor& point) {
    return at::max_pool2d(point, 2);
  })));
}

TEST(PairMaximum, SaysWhatItTakes) {
  EXPECT_TRUE(PairMaximumTakes(at::zeros({1, 2, 4, 4})));
  const at::Tensor strided = at::zeros({1, 2, 4, 8}).slice(3, 0, 8, 2);
  EXPECT_FALSE(PairMaximumTakes(strided));
  EXPECT_FALSE(PairMaximumTakes(at::zeros({2, 4, 4})));
  EXPECT_FALSE(PairMaximumTakes(at::zeros({1, 2, 4, 4}, at::kLong)));
  EXPECT_THROW(PairMaximum(strided), c10::Error);
}

}  // namespace
}  // namespace lipschitz
