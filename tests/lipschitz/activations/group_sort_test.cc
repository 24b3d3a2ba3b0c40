#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/activations/functional.h"
#include "tests/testing/instruction_sets.h"
#include "tests/testing/tensors.h"

namespace lipschitz::functional {
namespace {

using lipschitz::testing::EveryInstructionSet;
using lipschitz::testing::GradientCheckOptions;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::InstructionSetName;
using lipschitz::testing::OnInstructionSet;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Every kind of kernel: networks in registers, in memory, keys with
// positions of one, two and four bytes.
std::vector<int64_t> GroupSizes() {
  std::vector<int64_t> sizes(39);
  std::iota(sizes.begin(), sizes.end(), 2);
  sizes.insert(sizes.end(), {63, 64, 65, 100, 256, 257, 300, 1024, 70000});
  return sizes;
}

// Shapes whose dimension 1 holds groups of `size`: with and without dimensions
// after it, shorter and longer than a vector, with blocks that are not full.
std::vector<std::vector<int64_t>> Shapes(int64_t size) {
  if (size > 1024) return {{1, 2 * size}, {1, size, 2}};
  if (size > 64) return {{2, 2 * size}, {1, size, 3}};
  return {{5, 7 * size}, {1, size}, {3, 2 * size, 5}, {2, size, 7, 9}};
}

// Values of several kinds: without ties, with many, with those that compare in
// a special way.
std::vector<at::Tensor> Inputs(const std::vector<int64_t>& shape,
                               at::ScalarType type) {
  const at::TensorOptions options = at::TensorOptions(type);
  at::Tensor special =
      at::tensor({-kInfinity, -1.0, -0.0, 0.0, 1.0, kInfinity}, options);
  return {at::randn(shape, options), at::randint(-2, 3, shape, options),
          special.index({at::randint(0, 6, shape, at::kLong)})};
}

at::Tensor Bits(const at::Tensor& x) {
  return x.contiguous().view(x.scalar_type() == at::kFloat ? at::kInt
                                                           : at::kLong);
}

bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && Bits(a).equal(Bits(b));
}

// GroupSort and its gradient agree with those of the operators bit for bit.
::testing::AssertionResult AgreesWithComposed(const at::Tensor& x,
                                              int64_t group_size, int64_t dim) {
  const at::Tensor input = x.detach().requires_grad_(true);
  const at::Tensor y = GroupSort(input, group_size, dim);
  const at::Tensor expected = GroupSortComposed(input, group_size, dim);
  const auto failure = [&] {
    return ::testing::AssertionFailure()
           << "shape " << x.sizes() << " strides " << x.strides() << " groups "
           << group_size << " dim " << dim << " " << x.dtype() << ": ";
  };
  if (!SameBits(y.detach(), expected.detach())) return failure() << "values";
  {
    const c10::NoGradGuard no_grad;
    if (!SameBits(GroupSort(input, group_size, dim), expected)) {
      return failure() << "values without gradient";
    }
  }
  const at::Tensor cotangent = at::randn_like(y);
  const auto gradient = [&](const at::Tensor& output) {
    return torch::autograd::grad({output}, {input}, {cotangent})[0];
  };
  if (!SameBits(gradient(y), gradient(expected))) {
    return failure() << "gradient";
  }
  return ::testing::AssertionSuccess();
}

class GroupSortOnTarget : public OnInstructionSet {
 protected:
  GroupSortOnTarget() { at::manual_seed(1); }
};

INSTANTIATE_TEST_SUITE_P(, GroupSortOnTarget, EveryInstructionSet(),
                         InstructionSetName);

TEST_P(GroupSortOnTarget, AgreesWithComposedBitForBit) {
  for (int64_t size : GroupSizes()) {
    for (const std::vector<int64_t>& shape : Shapes(size)) {
      for (at::ScalarType type : {at::kFloat, at::kDouble}) {
        for (const at::Tensor& x : Inputs(shape, type)) {
          ASSERT_TRUE(AgreesWithComposed(x, size, 1));
        }
      }
    }
  }
}

TEST_P(GroupSortOnTarget, TakesEveryLayout) {
  for (int64_t size : {2, 3, 4, 8, 9, 16, 20, 96}) {
    const int64_t width = 2 * size;
    for (const at::Tensor& x : Inputs({3, width, 5, 7}, at::kFloat)) {
      ASSERT_TRUE(AgreesWithComposed(x, size, -3));
      ASSERT_TRUE(AgreesWithComposed(
          x.contiguous(at::MemoryFormat::ChannelsLast), size, 1));
      ASSERT_TRUE(AgreesWithComposed(x.transpose(0, 1), size, 0));
      ASSERT_TRUE(AgreesWithComposed(x.permute({2, 0, 3, 1}), size, 3));
      ASSERT_TRUE(AgreesWithComposed(x.permute({3, 1, 0, 2}), size, -3));
      ASSERT_TRUE(AgreesWithComposed(x.slice(3, 1, 6, 2), size, 1));
      ASSERT_TRUE(AgreesWithComposed(x.slice(0, 1), size, 1));
      ASSERT_TRUE(
          AgreesWithComposed(x.select(2, 1).expand({3, width, 7}), size, 1));
      ASSERT_TRUE(AgreesWithComposed(x.slice(3, 0, 1).expand({-1, -1, -1, 4}),
                                     size, 1));
    }
  }
}

// Many chunks, of which the last is not full, on one thread and on several.
TEST_P(GroupSortOnTarget, ThreadsDoNotMatter) {
  const int threads = at::get_num_threads();
  for (int64_t size : {2, 3, 8, 16, 32, 80}) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{1301, size * 5}, {29, size * 2, 19, 21}}) {
      const at::Tensor x = at::randn(shape).requires_grad_(true);
      const at::Tensor cotangent = at::randn(shape);
      at::set_num_threads(1);
      EXPECT_TRUE(AgreesWithComposed(x, size, 1));
      const at::Tensor y = GroupSort(x, size, 1);
      const at::Tensor gradient =
          torch::autograd::grad({y}, {x}, {cotangent})[0];
      at::set_num_threads(3);
      const at::Tensor y3 = GroupSort(x, size, 1);
      EXPECT_TRUE(SameBits(y, y3));
      EXPECT_TRUE(
          SameBits(gradient, torch::autograd::grad({y3}, {x}, {cotangent})[0]));
    }
  }
  at::set_num_threads(threads);
}

TEST_P(GroupSortOnTarget, PermutesWhatHoldsNaN) {
  for (int64_t size : {2, 3, 4, 7, 8, 16, 33, 70}) {
    for (at::ScalarType type : {at::kFloat, at::kDouble}) {
      at::Tensor x = at::randn({4, 6 * size}, type);
      x.masked_fill_(at::rand_like(x) < 0.3,
                     std::numeric_limits<double>::quiet_NaN());
      // NaN that differ in sign and payload.
      Bits(x).bitwise_xor_(at::randint(0, 2, x.sizes(), Bits(x).options()));
      x = x * at::randint(0, 2, x.sizes(), x.options()).mul(2).sub(1);
      x.requires_grad_(true);
      const at::Tensor y = GroupSort(x, size, 1);
      const auto sorted_bits = [&](const at::Tensor& t) {
        return std::get<0>(Bits(t.detach()).view({-1, size}).sort(1));
      };
      EXPECT_TRUE(sorted_bits(x).equal(sorted_bits(y))) << size;
      // The positions that the gradient of 1, 2, ... reveals are those of y.
      const at::Tensor numbers =
          at::arange(x.numel(), x.options().requires_grad(false))
              .view(x.sizes());
      const at::Tensor places =
          torch::autograd::grad({y}, {x}, {numbers})[0].to(at::kLong);
      EXPECT_TRUE(Bits(y.detach())
                      .view(-1)
                      .index_select(0, places.view(-1))
                      .equal(Bits(x.detach()).view(-1)))
          << size;
    }
  }
}

TEST_P(GroupSortOnTarget, GradientsMatchFiniteDifferences) {
  GradientCheckOptions options;
  options.second_order = true;
  for (int64_t size : {2, 3, 4, 8, 16, 18, 66}) {
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return GroupSort(in[0], size, 1).square(); },
        {at::randn({2, size}, at::kDouble)}, options))
        << size;
  }
  EXPECT_TRUE(GradientsAgree(
      [&](const auto& in) { return GroupSort(in[0], 3, 1).square(); },
      {at::randn({1, 6, 2, 3}, at::kDouble)
           .contiguous(at::MemoryFormat::ChannelsLast)},
      options));
}

// Of sum((P x)³), P the permutation: Pᵀ 3 (Px)², Pᵀ diag(6 P x) P, then 6.
TEST_P(GroupSortOnTarget, DifferentiatesToThirdOrder) {
  for (int64_t size : {2, 5, 8, 40, 90}) {
    const at::Tensor x =
        at::randn({3, 2 * size}, at::kDouble).requires_grad_(true);
    at::Tensor derivative = GroupSort(x, size, 1).pow(3);
    for (const at::Tensor& expected :
         {3 * x.detach().square(), 6 * x.detach(),
          at::full_like(x, 6.0, at::TensorOptions().requires_grad(false))}) {
      derivative = torch::autograd::grad({derivative.sum()}, {x}, {}, true,
                                         /*create_graph=*/true)[0];
      EXPECT_TRUE(at::allclose(derivative, expected, 1e-12, 1e-12)) << size;
    }
  }
}

TEST(GroupSort, KeepsTheStridesOfDenseTensors) {
  const at::Tensor images =
      at::randn({2, 8, 3, 5}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(GroupSort(images, 4, 1).strides(), images.strides());
  const at::Tensor matrix = at::randn({6, 4}).t();
  EXPECT_EQ(GroupSort(matrix, 2, 0).strides(), matrix.strides());
  EXPECT_EQ(GroupSort(matrix, 2, 1).strides(), matrix.strides());
}

TEST(GroupSort, TakesEmptyTensors) {
  for (int64_t size : {2, 16, 20, 100}) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{0, 2 * size}, {3, 0}, {2, size, 0}}) {
      const at::Tensor x = at::zeros(shape).requires_grad_(true);
      const at::Tensor y = GroupSort(x, size, 1);
      EXPECT_EQ(y.sizes(), x.sizes());
      y.sum().backward();
      EXPECT_EQ(x.grad().sizes(), x.sizes());
    }
  }
}

TEST(GroupSort, SortsOtherTypesByOperators) {
  for (at::ScalarType type : {at::kLong, at::kInt, at::kBFloat16}) {
    const at::Tensor x = at::randint(-9, 9, {4, 24}, at::kLong).to(type);
    for (int64_t size : {2, 3, 8}) {
      const at::Tensor y = GroupSort(x, size, 1);
      EXPECT_EQ(y.scalar_type(), type);
      EXPECT_TRUE(y.equal(GroupSortComposed(x, size, 1)));
    }
  }
}

TEST(GroupSort, LeavesItsInputAlone) {
  for (int64_t size : {2, 3, 16, 24, 96}) {
    const at::Tensor x = at::randn({5, 96});
    const at::Tensor before = x.clone();
    GroupSort(x, size, 1);
    EXPECT_TRUE(x.equal(before));
  }
}

}  // namespace
}  // namespace lipschitz::functional
