#include "lipschitz/data/batches.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;

Batches Make(const BatchesConfig& config) {
  auto batches = Batches::Create(config);
  EXPECT_TRUE(batches.ok()) << batches.status();
  return *std::move(batches);
}

TEST(Batches, AnEpochGoesOnceThroughEverything) {
  for (const int64_t size : {1, 5, 12, 100}) {
    for (const int64_t batch_size : {1, 4, 12, 1000}) {
      Batches batches = Make({size, batch_size, 3});
      EXPECT_EQ(batches.steps_per_epoch(),
                (size + batch_size - 1) / batch_size);
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        std::vector<at::Tensor> seen;
        for (int64_t i = 0; i < batches.steps_per_epoch(); ++i) {
          const int64_t step = epoch * batches.steps_per_epoch() + i;
          EXPECT_EQ(batches.Epoch(step), epoch);
          seen.push_back(batches.At(step));
          const bool last = i + 1 == batches.steps_per_epoch();
          EXPECT_EQ(seen.back().numel(),
                    last ? size - i * batch_size : batch_size);
        }
        EXPECT_TRUE(at::equal(std::get<0>(at::cat(seen).sort()),
                              at::arange(size, at::kLong)));
      }
    }
  }
}

TEST(Batches, TheSmallerLastBatchCanBeLeftOut) {
  Batches batches = Make({10, 4, 3, /*drop_last=*/true});
  EXPECT_EQ(batches.steps_per_epoch(), 2);
  EXPECT_EQ(batches.At(1).numel(), 4);
  EXPECT_EQ(batches.At(3).numel(), 4);
  EXPECT_EQ(Make({12, 4, 3, true}).steps_per_epoch(), 3);
}

TEST(Batches, AStepFollowsFromSeedAndStepAlone) {
  const BatchesConfig config = {50, 8, 42};
  Batches straight = Make(config);
  std::vector<at::Tensor> expected;
  for (int64_t step = 0; step < 40; ++step) {
    expected.push_back(straight.At(step).clone());
  }
  torch::manual_seed(5);
  // Resumed anywhere, and in any order.
  for (const int64_t step : {39, 0, 17, 16, 38, 7}) {
    Batches resumed = Make(config);
    EXPECT_TRUE(at::equal(resumed.At(step), expected[step])) << step;
    EXPECT_TRUE(at::equal(straight.At(step), expected[step])) << step;
  }
}

TEST(Batches, SeedsAndEpochsHaveOrdersOfTheirOwn) {
  std::vector<at::Tensor> orders;
  for (const uint64_t seed : {0, 1, 2, 1000003}) {
    Batches batches = Make({1000, 1000, seed});
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      orders.push_back(batches.At(epoch).clone());
    }
  }
  for (size_t i = 0; i < orders.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      // Two random permutations agree in one place on average.
      EXPECT_LT(orders[i].eq(orders[j]).sum().item<int64_t>(), 12);
    }
  }
}

TEST(Batches, EveryPlaceIsEquallyLikely) {
  Batches batches = Make({20, 20, 9});
  const int epochs = 4000;
  at::Tensor counts = at::zeros({20});
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    counts.index_add_(0, batches.At(epoch).slice(0, 0, 1), at::ones({1}));
  }
  EXPECT_LT((counts / epochs - 0.05).abs().max().item<double>(),
            5 * std::sqrt(0.05 * 0.95 / epochs));
}

TEST(Batches, BadArguments) {
  EXPECT_TRUE(FailsWith(Batches::Create({0, 4}), StatusCode::kInvalidArgument,
                        {"got 0 and 4"}));
  EXPECT_TRUE(FailsWith(Batches::Create({4, 0}), StatusCode::kInvalidArgument,
                        {"got 4 and 0"}));
  EXPECT_TRUE(FailsWith(Batches::Create({4, 5, 0, true}),
                        StatusCode::kInvalidArgument, {"5", "4"}));
  Batches batches = Make({4, 2});
  EXPECT_THROW(batches.At(-1), c10::Error);
}

}  // namespace
}  // namespace lipschitz
