#include "lipschitz/layers/max_pool.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/forward_grad.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/instruction_sets.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::EveryInstructionSet;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::InstructionSetName;
using lipschitz::testing::OnInstructionSet;

struct Sizes {
  int64_t height;
  int64_t width;
};

// Below, at and above the vectors' width, odd and even.
const std::vector<Sizes> kSizes = {{2, 2},  {2, 3},   {3, 2},  {5, 4},
                                   {4, 7},  {6, 8},   {7, 9},  {8, 10},
                                   {9, 15}, {12, 24}, {5, 31}, {3, 66}};

// What x becomes, and the gradient of ⟨weights, that⟩.
struct Result {
  at::Tensor y;
  at::Tensor gradient;
};

template <class Pool>
Result Run(const Pool& pool, const at::Tensor& x, const at::Tensor& weights) {
  const at::Tensor leaf = x.detach().requires_grad_(true);
  const at::Tensor y = pool(leaf);
  return {y.detach(),
          torch::autograd::grad({(y * weights).nansum()}, {leaf})[0]};
}

// Also of what is not a number.
bool Same(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && at::isnan(a).equal(at::isnan(b)) &&
         a.nan_to_num().equal(b.nan_to_num());
}

void ExpectLikeLibTorch(const at::Tensor& x) {
  const auto ours = [](const at::Tensor& in) { return MaxPool(in, 2, 2); };
  const auto theirs = [](const at::Tensor& in) {
    return at::max_pool2d(in, 2, 2);
  };
  const at::Tensor weights = at::randn(theirs(x).sizes(), x.options());
  const Result result = Run(ours, x, weights);
  const Result expected = Run(theirs, x, weights);
  EXPECT_TRUE(Same(result.y, expected.y)) << x.sizes();
  EXPECT_TRUE(Same(result.gradient, expected.gradient)) << x.sizes();
  EXPECT_TRUE(Same(ours(x), expected.y)) << x.sizes();
}

using MaxPoolOnTarget = OnInstructionSet;
INSTANTIATE_TEST_SUITE_P(, MaxPoolOnTarget, EveryInstructionSet(),
                         InstructionSetName);

TEST_P(MaxPoolOnTarget, IsThatOfLibTorchInValuesAndGradients) {
  at::manual_seed(1);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (const Sizes& sizes : kSizes) {
      ExpectLikeLibTorch(at::randn({3, 2, sizes.height, sizes.width}, type));
    }
  }
}

TEST_P(MaxPoolOnTarget, GivesTheFirstOfEqualPixelsTheGradient) {
  at::manual_seed(2);
  for (const Sizes& sizes : kSizes) {
    ExpectLikeLibTorch(
        at::randint(0, 2, {4, 3, sizes.height, sizes.width}, at::kFloat));
    ExpectLikeLibTorch(at::zeros({1, 2, sizes.height, sizes.width}));
  }
}

TEST_P(MaxPoolOnTarget, KeepsWhatIsNotANumberOrInfinite) {
  at::manual_seed(3);
  for (const double odd : {std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity()}) {
    for (const double share : {0.1, 0.6, 1.0}) {
      at::Tensor x = at::randn({3, 4, 7, 18});
      x.masked_fill_(at::rand(x.sizes()) <= share, odd);
      ExpectLikeLibTorch(x);
    }
  }
}

TEST(MaxPool, TakesImagesThatAreNotContiguous) {
  at::manual_seed(4);
  ExpectLikeLibTorch(at::randn({3, 6, 8, 2}).permute({0, 3, 1, 2}));
  ExpectLikeLibTorch(at::randn({3, 2, 8, 12}).slice(3, 1, 11));
}

TEST(MaxPool, SecondDerivativesMatchFiniteDifferences) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({2, 2, 5, 6}, at::kDouble);
  lipschitz::testing::GradientCheckOptions options;
  options.second_order = true;
  EXPECT_TRUE(
      GradientsAgree([](const auto& in) { return MaxPool(in[0], 2, 2).pow(3); },
                     {x}, options));
}

TEST(MaxPool, ForwardDerivativesAreLibTorchs) {
  at::manual_seed(7);
  const uint64_t level = torch::autograd::ForwardADLevel::get_next_idx();
  {
    const at::Tensor x =
        at::_make_dual(at::randn({1, 2, 4, 6}), at::randn({1, 2, 4, 6}), level);
    const at::Tensor derivative = MaxPool(x, 2, 2)._fw_grad(level);
    ASSERT_TRUE(derivative.defined());
    EXPECT_TRUE(derivative.equal(at::max_pool2d(x, 2, 2)._fw_grad(level)));
  }
  torch::autograd::ForwardADLevel::release_idx(level);
}

TEST(MaxPool, OtherWindowsAreLibTorchs) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({2, 3, 9, 10});
  for (const int64_t kernel : {1, 2, 3}) {
    for (const int64_t stride : {1, 2, 3}) {
      EXPECT_TRUE(
          MaxPool(x, kernel, stride).equal(at::max_pool2d(x, kernel, stride)));
    }
  }
}

}  // namespace
}  // namespace lipschitz
