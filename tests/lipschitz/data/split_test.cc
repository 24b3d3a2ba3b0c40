#include "lipschitz/data/split.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/data/random.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;

// Labels of ten classes, some of them rare, one absent.
at::Tensor Labels(int64_t n, uint64_t seed) {
  const RandomSource random(seed);
  const at::Tensor labels =
      at::randint(9, {n}, random.generator(), at::TensorOptions(at::kLong));
  return at::where(labels.eq(4), at::full_like(labels, 9), labels)
      .minimum(at::randint(3, 12, {n}, random.generator(),
                           at::TensorOptions(at::kLong)));
}

bool Ascending(const at::Tensor& indices) {
  return indices.numel() < 2 ||
         indices.slice(0, 1).gt(indices.slice(0, 0, -1)).all().item<bool>();
}

int64_t Count(const at::Tensor& labels, int64_t c) {
  return labels.eq(c).sum().item<int64_t>();
}

TEST(StratifiedSplit, IsAPartitionWithEveryClassInItsShare) {
  for (const int64_t n : {1, 2, 10, 101, 6000}) {
    const at::Tensor labels = Labels(n, static_cast<uint64_t>(n));
    for (const int64_t held_out : {int64_t{0}, n / 10, n / 2, n - 1}) {
      const auto split = StratifiedSplit(labels, held_out, 5);
      ASSERT_TRUE(split.ok()) << split.status();
      EXPECT_EQ(split->validation.numel(), held_out);
      EXPECT_TRUE(Ascending(split->train));
      EXPECT_TRUE(Ascending(split->validation));
      EXPECT_TRUE(at::equal(
          std::get<0>(at::cat({split->train, split->validation}).sort()),
          at::arange(n, at::kLong)));
      const at::Tensor held = labels.index_select(0, split->validation);
      for (int64_t c = 0; c < 12; ++c) {
        const double share = static_cast<double>(held_out) *
                             static_cast<double>(Count(labels, c)) /
                             static_cast<double>(n);
        EXPECT_LT(std::abs(static_cast<double>(Count(held, c)) - share), 1.0);
      }
    }
  }
}

TEST(StratifiedSplit, FollowsFromTheSeedAlone) {
  const at::Tensor labels = Labels(500, 1);
  const auto first = StratifiedSplit(labels, 100, 7);
  torch::manual_seed(123);
  const at::Tensor expected = at::randn({3});
  torch::manual_seed(123);
  const auto again = StratifiedSplit(labels, 100, 7);
  EXPECT_TRUE(at::equal(at::randn({3}), expected));
  const auto other = StratifiedSplit(labels, 100, 8);
  EXPECT_TRUE(at::equal(first->validation, again->validation));
  EXPECT_FALSE(at::equal(first->validation, other->validation));
}

// Over seeds every image is held out equally often.
TEST(StratifiedSplit, DrawsEveryImageEquallyOften) {
  const at::Tensor labels = at::arange(40, at::kLong).remainder(4);
  at::Tensor counts = at::zeros({40});
  const int seeds = 2000;
  for (int seed = 0; seed < seeds; ++seed) {
    const auto split = StratifiedSplit(labels, 8, static_cast<uint64_t>(seed));
    counts.index_add_(0, split->validation, at::ones({8}));
  }
  // Binomial with p = 1/5; five standard deviations.
  EXPECT_LT((counts / seeds - 0.2).abs().max().item<double>(),
            5 * std::sqrt(0.2 * 0.8 / seeds));
}

TEST(LastSplit, IsInFileOrder) {
  const auto split = LastSplit(60000, 6000);
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_TRUE(at::equal(split->train, at::arange(54000, at::kLong)));
  EXPECT_TRUE(
      at::equal(split->validation, at::arange(54000, 60000, at::kLong)));
  EXPECT_EQ(LastSplit(5, 0)->validation.numel(), 0);
}

TEST(BalancedSubset, HasTheSameNumberOfEveryClass) {
  const at::Tensor labels = at::arange(300, at::kLong).remainder(10);
  for (const int64_t per_class : {1, 7, 30}) {
    const auto subset = BalancedSubset(labels, 10, per_class, 3);
    ASSERT_TRUE(subset.ok()) << subset.status();
    EXPECT_TRUE(Ascending(*subset));
    for (int64_t c = 0; c < 10; ++c) {
      EXPECT_EQ(Count(labels.index_select(0, *subset), c), per_class);
    }
  }
  EXPECT_FALSE(at::equal(*BalancedSubset(labels, 10, 7, 3),
                         *BalancedSubset(labels, 10, 7, 4)));
  // Only the classes asked for.
  EXPECT_EQ(BalancedSubset(labels, 2, 7, 3)->numel(), 14);
}

TEST(BalancedSubset, ASmallerOneIsPartOfALargerOne) {
  const at::Tensor labels = Labels(3000, 2).remainder(3);
  const at::Tensor small = *BalancedSubset(labels, 3, 20, 11);
  const at::Tensor large = *BalancedSubset(labels, 3, 100, 11);
  EXPECT_TRUE(small.unsqueeze(1).eq(large).any(1).all().item<bool>());
}

TEST(Splits, BadArgumentsAreErrorsWithTheNumbers) {
  const at::Tensor labels = at::arange(30, at::kLong).remainder(10);
  for (const int64_t held_out : {-1, 30, 31}) {
    const std::string number = std::to_string(held_out);
    EXPECT_TRUE(FailsWith(StratifiedSplit(labels, held_out, 0),
                          StatusCode::kInvalidArgument, {number, "30"}));
    EXPECT_TRUE(FailsWith(LastSplit(30, held_out), StatusCode::kInvalidArgument,
                          {number, "30"}));
  }
  EXPECT_TRUE(FailsWith(StratifiedSplit(at::empty({0}, at::kLong), 0, 0),
                        StatusCode::kInvalidArgument, {"0 images"}));
  EXPECT_TRUE(FailsWith(StratifiedSplit(at::zeros({3}), 1, 0),
                        StatusCode::kInvalidArgument, {"Float"}));
  EXPECT_TRUE(FailsWith(StratifiedSplit(labels - 1, 1, 0),
                        StatusCode::kInvalidArgument, {"-1"}));
  EXPECT_TRUE(FailsWith(StratifiedSplit(labels * (int64_t{1} << 50), 1, 0),
                        StatusCode::kInvalidArgument, {"labels must be"}));
  EXPECT_TRUE(FailsWith(BalancedSubset(labels, 10, 4, 0),
                        StatusCode::kInvalidArgument,
                        {"class 0 has 3 images, not 4"}));
  EXPECT_TRUE(FailsWith(BalancedSubset(labels, 11, 1, 0),
                        StatusCode::kInvalidArgument, {"class 10 has 0"}));
  EXPECT_TRUE(FailsWith(BalancedSubset(labels, 10, 0, 0),
                        StatusCode::kInvalidArgument, {"got 10 and 0"}));
}

}  // namespace
}  // namespace lipschitz
