#include "lipschitz/activations/functional.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz::functional {
namespace {

using lipschitz::testing::GradientCheckOptions;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::Jacobian;
using lipschitz::testing::TensorsNear;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

at::Tensor Vector(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

// The first line of the c10::Error that `function` throws; any other exception
// fails the test.
std::string ErrorOf(const std::function<void()>& function) {
  try {
    function();
  } catch (const c10::Error& e) {
    return e.what_without_backtrace();
  }
  return "no error";
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// GroupSort written down entry by entry, for (batch, width).
at::Tensor SortByHand(const at::Tensor& x, int64_t group_size) {
  at::Tensor y = x.clone();
  for (int64_t i = 0; i < x.size(0); ++i) {
    for (int64_t g = 0; g < x.size(1); g += group_size) {
      const double* begin = x[i].data_ptr<double>() + g;
      std::vector<double> group(begin, begin + group_size);
      std::sort(group.begin(), group.end());
      for (int64_t j = 0; j < group_size; ++j) y[i][g + j] = group[j];
    }
  }
  return y;
}

bool IsPermutation(const at::Tensor& matrix) {
  const at::Tensor ones = at::ones({matrix.size(0)}, matrix.options());
  return (matrix == 0).logical_or(matrix == 1).all().item<bool>() &&
         matrix.sum(0).equal(ones) && matrix.sum(1).equal(ones);
}

TEST(GroupSort, SortsTheExampleOfTheReference) {
  const at::Tensor x = Vector({3, 1, 2, 5, 0, 4});
  EXPECT_TRUE(GroupSort(x, 3, 0).equal(Vector({1, 2, 3, 0, 4, 5})));
  EXPECT_TRUE(GroupSort(x, 6, 0).equal(Vector({0, 1, 2, 3, 4, 5})));
  EXPECT_TRUE(GroupSort(x, 2, 0).equal(Vector({1, 3, 2, 5, 0, 4})));
  EXPECT_TRUE(GroupSort(x, 1, 0).equal(x));
}

TEST(GroupSort, SortsEveryContiguousGroupAscending) {
  for (int seed = 0; seed < 5; ++seed) {
    at::manual_seed(seed);
    const at::Tensor x = at::randn({7, 24}, at::kDouble);
    for (int64_t group_size : {1, 2, 3, 4, 6, 8, 12, 24}) {
      EXPECT_TRUE(GroupSort(x, group_size, 1).equal(SortByHand(x, group_size)))
          << group_size;
    }
  }
}

TEST(GroupSort, OfPairsIsMinimumThenMaximum) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({9, 10});
  const at::Tensor y = GroupSort(x, 2, -1);
  const at::Tensor even = x.slice(1, 0, 10, 2);
  const at::Tensor odd = x.slice(1, 1, 10, 2);
  EXPECT_TRUE(y.slice(1, 0, 10, 2).equal(at::minimum(even, odd)));
  EXPECT_TRUE(y.slice(1, 1, 10, 2).equal(at::maximum(even, odd)));
}

TEST(GroupSort, SortsChannelsAtEveryPixel) {
  at::manual_seed(2);
  const at::Tensor x = at::randn({2, 6, 3, 4}, at::kDouble);
  for (int64_t group_size : {2, 3, 6}) {
    const at::Tensor y = GroupSort(x, group_size, 1);
    const at::Tensor pixels = x.permute({0, 2, 3, 1}).reshape({-1, 6});
    EXPECT_TRUE(y.permute({0, 2, 3, 1})
                    .reshape({-1, 6})
                    .equal(SortByHand(pixels.contiguous(), group_size)));
    EXPECT_EQ(y.sizes(), x.sizes());
  }
}

// LNets computes negative axes other than −1 wrongly.
TEST(GroupSort, NegativeDimensionsCountFromTheEnd) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({4, 6, 2, 12}, at::kDouble);
  for (int64_t dim = 0; dim < 4; ++dim) {
    for (int64_t group_size : {2, 1}) {
      EXPECT_TRUE(GroupSort(x, group_size, dim)
                      .equal(GroupSort(x, group_size, dim - 4)));
      EXPECT_TRUE(
          MaxOut(x, group_size, dim).equal(MaxOut(x, group_size, dim - 4)));
    }
    EXPECT_TRUE(CRelu(x, dim).equal(CRelu(x, dim - 4)));
  }
  EXPECT_TRUE(GroupSort(x, 3, 1).equal(GroupSort(x, 3, -3)));
}

TEST(GroupSort, TakesTransposedAndStridedTensors) {
  at::manual_seed(4);
  const at::Tensor x = at::randn({12, 5}, at::kDouble).t();
  for (int64_t group_size : {2, 4}) {
    EXPECT_TRUE(GroupSort(x, group_size, 1)
                    .equal(GroupSort(x.contiguous(), group_size, 1)));
    const at::Tensor image = at::randn({2, 3, 4, 8}, at::kDouble)
                                 .contiguous(at::MemoryFormat::ChannelsLast)
                                 .permute({0, 3, 1, 2});
    EXPECT_TRUE(GroupSort(image, group_size, 1)
                    .equal(GroupSort(image.contiguous(), group_size, 1)));
  }
}

TEST(GroupSort, PermutesTheEntriesOfEveryGroup) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({3, 12}, at::kDouble);
  for (int64_t group_size : {2, 3, 12}) {
    const at::Tensor y = GroupSort(x, group_size, 1);
    // Bit for bit the same numbers, and so the same p-norms.
    EXPECT_TRUE(std::get<0>(y.view({-1, group_size}).sort(1))
                    .equal(std::get<0>(x.view({-1, group_size}).sort(1))));
  }
}

TEST(GroupSort, IsIdempotent) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({3, 12});
  for (int64_t group_size : {1, 2, 3, 12}) {
    const at::Tensor once = GroupSort(x, group_size, 1);
    EXPECT_TRUE(GroupSort(once, group_size, 1).equal(once));
  }
}

TEST(GroupSort, LeavesItsArgumentAloneAndSharesNoMemory) {
  for (int64_t group_size : {1, 2, 4}) {
    const at::Tensor x = Vector({4, 3, 2, 1});
    const at::Tensor y = GroupSort(x, group_size, 0);
    EXPECT_TRUE(x.equal(Vector({4, 3, 2, 1})));
    y.zero_();
    EXPECT_TRUE(x.equal(Vector({4, 3, 2, 1}))) << group_size;
  }
}

TEST(GroupSort, TakesAnEmptyBatch) {
  for (int64_t group_size : {1, 2, 4}) {
    EXPECT_EQ(GroupSort(at::zeros({0, 8}), group_size, 1).sizes(),
              at::IntArrayRef({0, 8}));
    EXPECT_EQ(MaxOut(at::zeros({0, 8}), group_size, 1).sizes(),
              at::IntArrayRef({0, 8 / group_size}));
  }
  EXPECT_EQ(CRelu(at::zeros({0, 8}), 1).sizes(), at::IntArrayRef({0, 16}));
}

TEST(GroupSort, JacobianIsAPermutationAlsoAtTies) {
  for (const at::Tensor& x :
       {Vector({3, 1, 2, 5, 0, 4}), Vector({1, 1, 1, 1, 1, 1}),
        Vector({2, 2, 1, 0, 0, 0}), at::zeros({6}, at::kDouble),
        Vector({-0.0, 0.0, 0.0, -0.0, 0.0, -0.0})}) {
    for (int64_t group_size : {1, 2, 3, 6}) {
      const at::Tensor jacobian = Jacobian(
          [&](const at::Tensor& t) { return GroupSort(t, group_size, 0); }, x);
      EXPECT_TRUE(IsPermutation(jacobian)) << jacobian;
    }
  }
}

TEST(GroupSort, TiesKeepTheirOrder) {
  for (int64_t group_size : {2, 3, 6}) {
    const at::Tensor jacobian = Jacobian(
        [&](const at::Tensor& x) { return GroupSort(x, group_size, 0); },
        at::ones({6}, at::kDouble));
    EXPECT_TRUE(jacobian.equal(at::eye(6, at::kDouble))) << group_size;
  }
  // 1, 1 before 2, 2, each pair in the order of positions 1, 3 and 0, 2.
  const at::Tensor jacobian =
      Jacobian([](const at::Tensor& x) { return GroupSort(x, 4, 0); },
               Vector({2, 1, 2, 1}));
  EXPECT_TRUE(
      jacobian.argmax(1).equal(at::tensor(std::vector<int64_t>{1, 3, 0, 2})));
}

TEST(GroupSort, TiesInLargeGroupsKeepTheirOrder) {
  // Sorts that are stable by accident are so for short inputs only.
  const int64_t n = 1000;
  const at::Tensor x = at::arange(n, at::kDouble).remainder(3);
  at::Tensor leaf = x.clone().requires_grad_(true);
  const at::Tensor y = GroupSort(leaf, n, 0);
  const at::Tensor marks = at::arange(n, at::kDouble);
  const at::Tensor gradient =
      torch::autograd::grad({(y * marks).sum()}, {leaf})[0];
  // Entry i holds i mod 3; its place is the number of smaller entries plus that
  // of equal ones before it.
  for (int64_t i = 0; i < n; ++i) {
    const int64_t before = i % 3 == 0 ? 0 : i % 3 == 1 ? 334 : 667;
    ASSERT_EQ(gradient[i].item<double>(), static_cast<double>(before + i / 3))
        << i;
  }
}

TEST(GroupSort, KeepsTheNormOfEveryGradient) {
  at::manual_seed(7);
  for (int64_t group_size : {1, 2, 3, 4, 12}) {
    at::Tensor x = at::randn({5, 12}, at::kDouble).requires_grad_(true);
    const at::Tensor cotangent = at::randn({5, 12}, at::kDouble);
    const at::Tensor gradient = torch::autograd::grad(
        {GroupSort(x, group_size, 1)}, {x}, {cotangent})[0];
    EXPECT_TRUE(TensorsNear(gradient.norm(2, 1), cotangent.norm(2, 1), 1e-14));
  }
}

TEST(GroupSort, SortsInfinities) {
  const at::Tensor x = Vector({kInfinity, 1, -kInfinity, 2, 3, -kInfinity});
  EXPECT_TRUE(GroupSort(x, 2, 0).equal(
      Vector({1, kInfinity, -kInfinity, 2, -kInfinity, 3})));
  EXPECT_TRUE(GroupSort(x, 3, 0).equal(
      Vector({-kInfinity, 1, kInfinity, -kInfinity, 2, 3})));
}

// LNets' assertion lets NaN pass; nothing may hide one.
TEST(GroupSort, KeepsNaNInItsGroup) {
  for (const auto& x :
       {Vector({kNaN, 1, 2, 3, 4, 5}), Vector({1, kNaN, 2, 3, 4, 5})}) {
    for (int64_t group_size : {1, 2, 3, 6}) {
      const at::Tensor nan = at::isnan(GroupSort(x, group_size, 0));
      EXPECT_EQ(nan.sum().item<int64_t>(), 1);
      EXPECT_TRUE(nan.narrow(0, 0, group_size == 1 ? 2 : group_size)
                      .any()
                      .item<bool>());
    }
  }
}

TEST(MaxOut, KeepsNaNInItsGroup) {
  for (const auto& x :
       {Vector({kNaN, 1, 2, 3, 4, 5}), Vector({1, kNaN, 2, 3, 4, 5})}) {
    for (int64_t group_size : {2, 3, 6}) {
      const at::Tensor nan = at::isnan(MaxOut(x, group_size, 0));
      EXPECT_TRUE(nan[0].item<bool>()) << x << group_size;
      EXPECT_EQ(nan.sum().item<int64_t>(), 1);
    }
  }
}

TEST(MaxOut, TakesTheLargestOfEveryGroup) {
  const at::Tensor x = Vector({3, 1, 2, 5, 0, 4});
  EXPECT_TRUE(MaxOut(x, 2, 0).equal(Vector({3, 5, 4})));
  EXPECT_TRUE(MaxOut(x, 3, 0).equal(Vector({3, 5})));
  EXPECT_TRUE(MaxOut(x, 6, 0).equal(Vector({5})));
  EXPECT_TRUE(MaxOut(x, 1, 0).equal(x));
  at::manual_seed(8);
  const at::Tensor images = at::randn({2, 12, 3, 4}, at::kDouble);
  for (int64_t group_size : {2, 3, 4, 12}) {
    EXPECT_TRUE(
        MaxOut(images, group_size, 1)
            .equal(
                images.view({2, 12 / group_size, group_size, 3, 4}).amax(2)));
  }
}

TEST(MaxOut, GivesTheGradientToTheFirstMaximum) {
  for (const auto& [x, first] :
       std::vector<std::pair<at::Tensor, std::vector<int64_t>>>{
           {Vector({1, 1, 1, 1, 1, 1}), {0, 0, 0}},
           {Vector({0, 2, 2, 2, 1, 2}), {1, 1, 1}},
           {Vector({1, 3, 3, 0, 3, 3}), {1, 1, 1}}}) {
    for (int64_t group_size : {2, 3, 6}) {
      const at::Tensor jacobian = Jacobian(
          [&](const at::Tensor& t) { return MaxOut(t, group_size, 0); }, x);
      for (int64_t i = 0; i < 6 / group_size; ++i) {
        const at::Tensor group = x.narrow(0, i * group_size, group_size);
        int64_t position = 0;
        while (group[position].item<double>() < group.max().item<double>()) {
          ++position;
        }
        at::Tensor expected = at::zeros({6}, at::kDouble);
        expected[i * group_size + position] = 1;
        EXPECT_TRUE(jacobian[i].equal(expected)) << x << group_size;
      }
      // The first group, as written down above.
      EXPECT_EQ(jacobian[0].argmax().item<int64_t>(), first[0]);
    }
  }
}

TEST(CRelu, ConcatenatesBothParts) {
  EXPECT_TRUE(
      CRelu(Vector({1, -2, 0, 3}), 0).equal(Vector({1, 0, 0, 3, 0, 2, 0, 0})));
  const at::Tensor images = at::randn({2, 3, 4, 5});
  const at::Tensor y = CRelu(images, 1);
  EXPECT_EQ(y.sizes(), at::IntArrayRef({2, 6, 4, 5}));
  EXPECT_TRUE(y.narrow(1, 0, 3).equal(images.relu()));
  EXPECT_TRUE(y.narrow(1, 3, 3).equal((-images).relu()));
}

TEST(CRelu, TakesInfinities) {
  EXPECT_TRUE(CRelu(Vector({kInfinity, -kInfinity}), 0)
                  .equal(Vector({kInfinity, 0, 0, kInfinity})));
}

// At the kink too the Jacobian must not stretch: both halves at once would have
// the norm √2.
TEST(CRelu, JacobianAtZeroIsNoExpansion) {
  const at::Tensor jacobian =
      Jacobian([](const at::Tensor& x) { return CRelu(x, 0); },
               at::zeros({1}, at::kDouble));
  EXPECT_LE(jacobian.norm().item<double>(), 1.0) << jacobian;
}

TEST(Functional, GradientsMatchFiniteDifferences) {
  at::manual_seed(9);
  GradientCheckOptions options;
  options.second_order = true;
  const at::Tensor x = at::randn({3, 12}, at::kDouble);
  for (int64_t group_size : {1, 2, 3, 4, 12}) {
    // The square makes the second derivative one that is not zero.
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) {
          return GroupSort(in[0], group_size, 1).square();
        },
        {x}, options))
        << group_size;
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return MaxOut(in[0], group_size, 1).square(); },
        {x}, options))
        << group_size;
  }
  EXPECT_TRUE(GradientsAgree(
      [](const auto& in) { return CRelu(in[0], 1).square(); }, {x}, options));
  const at::Tensor images = at::randn({2, 6, 2, 2}, at::kDouble);
  for (int64_t group_size : {2, 3}) {
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) {
          return GroupSort(in[0], group_size, 1).square();
        },
        {images}, options));
  }
}

TEST(Functional, AWidthThatIsNotDividedIsAnErrorThatNamesBoth) {
  for (int64_t group_size : {2, 4, 5}) {
    for (const char* what : {"GroupSort", "MaxOut"}) {
      const std::string error = ErrorOf([&] {
        if (what[0] == 'G') {
          GroupSort(at::zeros({3, 7}), group_size, 1);
        } else {
          MaxOut(at::zeros({3, 7}), group_size, 1);
        }
      });
      EXPECT_TRUE(Contains(error, what)) << error;
      EXPECT_TRUE(Contains(error, "7")) << error;
      EXPECT_TRUE(Contains(error, "group_size " + std::to_string(group_size)))
          << error;
      EXPECT_TRUE(Contains(error, "[3, 7]")) << error;
    }
  }
  // Larger than the width.
  EXPECT_TRUE(Contains(ErrorOf([] {
                         GroupSort(at::zeros({3, 4}), 8, 1);
                       }),
                       "group_size 8"));
}

TEST(Functional, ABadGroupSizeOrDimensionIsAnError) {
  EXPECT_TRUE(
      Contains(ErrorOf([] { GroupSort(at::zeros({4}), 0, 0); }), "got 0"));
  EXPECT_TRUE(
      Contains(ErrorOf([] { MaxOut(at::zeros({4}), -2, 0); }), "got -2"));
  EXPECT_TRUE(Contains(ErrorOf([] {
                         GroupSort(at::zeros({2, 4}), 2, 2);
                       }),
                       "dim 2"));
  EXPECT_TRUE(Contains(ErrorOf([] {
                         MaxOut(at::zeros({2, 4}), 2, -3);
                       }),
                       "dim -3"));
  EXPECT_NE(ErrorOf([] { GroupSort(at::zeros({}), 1, 0); }), "no error");
  EXPECT_NE(ErrorOf([] { CRelu(at::zeros({2, 4}), 2); }), "no error");
}

}  // namespace
}  // namespace lipschitz::functional
