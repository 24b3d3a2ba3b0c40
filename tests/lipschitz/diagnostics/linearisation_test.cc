#include "lipschitz/diagnostics/linearisation.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/utils.h>

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::FailsWith;
using testing::Jacobian;
using testing::RandomMlp;
using testing::TensorsNear;

at::Tensor Smooth(const at::Tensor& x) {
  const at::Tensor flat = x.reshape({x.size(0), -1});
  return at::stack({flat.sin().prod(1), flat.square().sum(1).exp()}, 1);
}

// Each example's Jacobian by itself.
at::Tensor Reference(const BatchFunction& function, const at::Tensor& x) {
  std::vector<at::Tensor> jacobians;
  for (int64_t i = 0; i < x.size(0); ++i) {
    jacobians.push_back(Jacobian(function, x.narrow(0, i, 1)));
  }
  return at::stack(jacobians);
}

void ExpectAgrees(const BatchFunction& function, const at::Tensor& x) {
  const auto jacobian = Linearisation::At(function, x);
  ASSERT_TRUE(jacobian.ok()) << jacobian.status();
  const at::Tensor expected = Reference(function, x);
  EXPECT_EQ(jacobian->examples(), x.size(0));
  EXPECT_EQ(jacobian->outputs(), expected.size(1));
  EXPECT_EQ(jacobian->inputs(), expected.size(2));
  EXPECT_TRUE(TensorsNear(jacobian->Jacobians(), expected, 1e-12));
  const int64_t n = x.size(0);
  const at::Tensor v = at::randn({n, jacobian->inputs()}, at::kDouble);
  const at::Tensor w = at::randn({n, jacobian->outputs()}, at::kDouble);
  EXPECT_TRUE(TensorsNear(jacobian->Times(v),
                          at::matmul(expected, v.unsqueeze(2)).squeeze(2),
                          1e-12));
  EXPECT_TRUE(TensorsNear(jacobian->TransposedTimes(w),
                          at::matmul(w.unsqueeze(1), expected).squeeze(1),
                          1e-12));
}

TEST(LinearisationTest, AgreesWithJacobiansOfSingleExamples) {
  torch::manual_seed(2);
  for (const ActivationSpec& activation :
       {ActivationSpec::Relu(), ActivationSpec::Abs(), ActivationSpec::CRelu(),
        ActivationSpec::MaxOut(), ActivationSpec::MaxMin(),
        ActivationSpec::GroupSort(4), ActivationSpec::FullSort()}) {
    // Fewer outputs than inputs, and more.
    for (const auto& widths :
         std::vector<std::vector<int64_t>>{{5, 8, 3}, {3, 8, 8, 6}, {4, 4}}) {
      Sequential network = RandomMlp(3, widths, activation);
      network->to(at::kDouble);
      network->eval();
      ExpectAgrees(ForwardOf(*network),
                   at::randn({4, widths.front()}, at::kDouble));
    }
  }
  ExpectAgrees(Smooth, at::rand({3, 4}, at::kDouble));
  ExpectAgrees(Smooth, at::rand({3, 2, 1, 2}, at::kDouble));
}

TEST(LinearisationTest, WorksWhereTheCallerWantsNoGradients) {
  const c10::NoGradGuard no_grad;
  const at::Tensor x = at::rand({2, 3}, at::kDouble);
  const auto jacobian = Linearisation::At(Smooth, x);
  ASSERT_TRUE(jacobian.ok()) << jacobian.status();
  const c10::AutoGradMode with_gradients(true);
  EXPECT_TRUE(TensorsNear(jacobian->Jacobians(), Reference(Smooth, x), 1e-12));
}

// By central differences of Jacobians.
TEST(LinearisationTest, SlopeGradientIsTheDerivativeOfTheSlope) {
  torch::manual_seed(4);
  const at::Tensor x = at::rand({1, 3}, at::kDouble);
  const at::Tensor v = at::randn({1, 3}, at::kDouble);
  const at::Tensor w = at::randn({1, 2}, at::kDouble);
  const auto slope = [&](const at::Tensor& at) {
    return (Linearisation::At(Smooth, at)->Times(v) * w).sum().item<double>();
  };
  const at::Tensor gradient = Linearisation::At(Smooth, x)->SlopeGradient(w, v);
  for (int64_t i = 0; i < 3; ++i) {
    at::Tensor step = at::zeros_like(x);
    step[0][i] = 1e-6;
    EXPECT_NEAR(gradient[0][i].item<double>(),
                (slope(x + step) - slope(x - step)) / 2e-6, 1e-7);
  }
}

TEST(LinearisationTest, ProductsThatVanishAreZero) {
  // Its derivative is zero, and autograd has no second one.
  const BatchFunction steps = [](const at::Tensor& x) { return x.sign(); };
  const at::Tensor x = at::ones({2, 3}, at::kDouble);
  const auto jacobian = Linearisation::At(steps, x);
  ASSERT_TRUE(jacobian.ok()) << jacobian.status();
  EXPECT_TRUE(TensorsNear(jacobian->Times(x), at::zeros_like(x), 0));
  EXPECT_TRUE(TensorsNear(jacobian->TransposedTimes(x), at::zeros_like(x), 0));
  EXPECT_TRUE(TensorsNear(jacobian->SlopeGradient(x, x), at::zeros_like(x), 0));
}

TEST(LinearisationTest, SaysWhatIsWrong) {
  using absl::StatusCode;
  const at::Tensor x = at::rand({2, 3});
  EXPECT_TRUE(FailsWith(Linearisation::At(Smooth, at::ones({2, 3}, at::kLong)),
                        StatusCode::kInvalidArgument, {"Long"}));
  EXPECT_TRUE(FailsWith(Linearisation::At(Smooth, at::rand({3})),
                        StatusCode::kInvalidArgument, {"[3]"}));
  EXPECT_TRUE(FailsWith(Linearisation::At(Smooth, at::rand({0, 3})),
                        StatusCode::kInvalidArgument, {"[0, 3]"}));
  EXPECT_TRUE(FailsWith(Linearisation::At(Smooth, at::Tensor()),
                        StatusCode::kInvalidArgument, {"undefined"}));
  EXPECT_TRUE(FailsWith(
      Linearisation::At([](const at::Tensor& y) { return y.sum(); }, x),
      StatusCode::kInvalidArgument, {"2 examples", "[]"}));
  EXPECT_TRUE(FailsWith(
      Linearisation::At([](const at::Tensor& y) { return y.detach(); }, x),
      StatusCode::kInvalidArgument, {"do not depend"}));
  EXPECT_TRUE(FailsWith(Linearisation::At(
                            [](const at::Tensor& y) {
                              return y.reshape({2, 4});
                            },
                            x),
                        StatusCode::kInternal, {"Jacobians"}));
}

}  // namespace
}  // namespace lipschitz
