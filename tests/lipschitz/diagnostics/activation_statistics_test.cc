#include "lipschitz/diagnostics/activation_statistics.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::Matrix;
using testing::RandomMlp;
using testing::TensorsNear;

// An activation alone: what it sees is the input.
ActivationStatistics Of(const ActivationSpec& spec, const at::Tensor& x,
                        int64_t dim = -1) {
  Activation layer(spec, dim);
  const auto statistics = CollectActivationStatistics(*layer, x);
  EXPECT_TRUE(statistics.ok()) << statistics.status();
  EXPECT_EQ(statistics->size(), 1u);
  return (*statistics)[0];
}

at::Tensor Longs(const std::vector<int64_t>& numbers) {
  return at::tensor(numbers, at::TensorOptions(at::kLong));
}

TEST(ActivationStatisticsTest, ReluUnitsThatAreActive) {
  const ActivationStatistics statistics = Of(
      ActivationSpec::Relu(),
      Matrix({{1, -1, 0, 2}, {1, -1, 0, -2}, {3, -2, 0, 1}, {1, -3, 0, -1}}));
  EXPECT_EQ(statistics.places, 4);
  EXPECT_TRUE(TensorsNear(statistics.positive, Matrix({{1, 0, 0, 0.5}})[0], 0));
  EXPECT_FALSE(statistics.moved.defined());
  EXPECT_FALSE(statistics.patterns.defined());
  EXPECT_DOUBLE_EQ(statistics.UndeadRate(0.0), 1.0);
  EXPECT_DOUBLE_EQ(statistics.UndeadRate(0.1), 0.5);
  EXPECT_DOUBLE_EQ(statistics.UndeadRate(0.5), 0.5);
  EXPECT_DOUBLE_EQ(statistics.UndeadRate(0.51), 0.25);
  EXPECT_DOUBLE_EQ(statistics.UndeadRate(1.0), 0.25);
}

TEST(ActivationStatisticsTest, WhatTheSortMoved) {
  const at::Tensor x = Matrix({{1, 2, 3, 3, 2, 1},
                               {2, 1, 3, 3, 2, 1},
                               {1, 1, 1, 3, 2, 1},
                               {3, 1, 2, 3, 2, 1}});
  const ActivationStatistics three = Of(ActivationSpec::GroupSort(3), x);
  // The middle of a reversed group stays; ties stay.
  EXPECT_TRUE(TensorsNear(three.moved, Matrix({{.5, .5, .25, 1, 0, 1}})[0], 0));
  EXPECT_TRUE(at::equal(three.patterns, Longs({3, 1})));
  const ActivationStatistics pairs = Of(ActivationSpec::MaxMin(), x);
  EXPECT_TRUE(TensorsNear(pairs.moved, Matrix({{.5, .5, 0, 0, 1, 1}})[0], 0));
  EXPECT_TRUE(at::equal(pairs.patterns, Longs({2, 1, 1})));
  const ActivationStatistics full = Of(ActivationSpec::FullSort(), x);
  EXPECT_EQ(full.patterns.size(0), 1);
  EXPECT_EQ(full.patterns[0].item<int64_t>(), 4);
  const ActivationStatistics most = Of(ActivationSpec::MaxOut(3), x);
  EXPECT_TRUE(TensorsNear(most.moved, Matrix({{.5, 0, .5, 1, 0, 0}})[0], 0));
  EXPECT_TRUE(at::equal(most.patterns, Longs({2, 1})));
}

// What the activation itself does, at random places.
TEST(ActivationStatisticsTest, AgreeWithTheActivation) {
  torch::manual_seed(1);
  const at::Tensor x = at::randn({60, 8}, at::kDouble);
  for (const int64_t size : {2, 4, 8}) {
    const ActivationSpec spec = ActivationSpec::GroupSort(size);
    const ActivationStatistics statistics = Of(spec, x);
    const at::Tensor y = Activation(spec)->forward(x);
    EXPECT_TRUE(TensorsNear(statistics.moved,
                            (x != y).to(at::kDouble).mean(at::IntArrayRef{0}),
                            1e-15));
    for (int64_t group = 0; group < 8 / size; ++group) {
      std::set<std::string> orders;
      for (int64_t b = 0; b < 60; ++b) {
        std::string order;
        for (int64_t i = 0; i < size; ++i) {
          const double value = y[b][group * size + i].item<double>();
          for (int64_t j = 0; j < size; ++j) {
            if (x[b][group * size + j].item<double>() == value) {
              order += static_cast<char>('0' + j);
            }
          }
        }
        orders.insert(order);
      }
      EXPECT_EQ(statistics.patterns[group].item<int64_t>(),
                static_cast<int64_t>(orders.size()));
    }
  }
}

// Also where the orders of a group are more than an int64 could number.
TEST(ActivationStatisticsTest, CountsOrdersOfGroupsOfAnySize) {
  torch::manual_seed(4);
  for (const int64_t width : {2, 15, 16, 40}) {
    // Each row and twice it: the same order.
    const at::Tensor rows = at::randn({width == 2 ? 1 : 6, width}, at::kDouble);
    const at::Tensor x = at::cat({rows, 2 * rows, rows, at::neg(rows)});
    const ActivationStatistics statistics = Of(ActivationSpec::FullSort(), x);
    EXPECT_EQ(statistics.patterns[0].item<int64_t>(), 2 * rows.size(0))
        << width;
    // One place has one order.
    EXPECT_EQ(Of(ActivationSpec::FullSort(), rows.narrow(0, 0, 1))
                  .patterns[0]
                  .item<int64_t>(),
              1);
  }
}

TEST(ActivationStatisticsTest, UnitsOfImagesAreChannels) {
  torch::manual_seed(2);
  const at::Tensor x = at::randn({3, 4, 5, 2});
  const ActivationStatistics images = Of(ActivationSpec::MaxMin(), x, 1);
  const ActivationStatistics flat =
      Of(ActivationSpec::MaxMin(), x.permute({0, 2, 3, 1}).reshape({30, 4}));
  EXPECT_EQ(images.places, 30);
  EXPECT_TRUE(at::equal(images.positive, flat.positive));
  EXPECT_TRUE(at::equal(images.moved, flat.moved));
  EXPECT_TRUE(at::equal(images.patterns, flat.patterns));
}

TEST(ActivationStatisticsTest, OfEveryActivationOfANetwork) {
  Sequential network = RandomMlp(3, {5, 8, 6, 2}, ActivationSpec::MaxMin());
  network->eval();
  const at::Tensor x = at::randn({40, 5});
  const auto statistics = CollectActivationStatistics(*network, x);
  ASSERT_TRUE(statistics.ok()) << statistics.status();
  ASSERT_EQ(statistics->size(), 2u);
  EXPECT_EQ((*statistics)[0].layer, "activation1");
  EXPECT_EQ((*statistics)[1].layer, "activation2");
  const at::Tensor before = network->layer(0)->forward(x);
  EXPECT_TRUE(TensorsNear((*statistics)[0].positive,
                          (before > 0).to(at::kDouble).mean(at::IntArrayRef{0}),
                          1e-15));
  EXPECT_EQ((*statistics)[1].positive.size(0), 6);
  EXPECT_EQ((*statistics)[1].activation.kind, ActivationKind::kMaxMin);
}

TEST(ActivationStatisticsTest, SayWhatIsWrong) {
  Sequential network = RandomMlp(3, {5, 8, 2}, ActivationSpec::MaxMin());
  EXPECT_TRUE(testing::FailsWith(
      CollectActivationStatistics(*network, at::randn({0, 5})),
      absl::StatusCode::kInvalidArgument, {"at least one"}));
  EXPECT_TRUE(testing::FailsWith(
      CollectActivationStatistics(*network, at::randn({2, 4})),
      absl::StatusCode::kInternal, {"linear1", "5"}));
}

}  // namespace
}  // namespace lipschitz
