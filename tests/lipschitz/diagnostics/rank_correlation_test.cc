#include "lipschitz/diagnostics/rank_correlation.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::FailsWith;
using testing::Matrix;
using testing::TensorsNear;

// One row each.
double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto result = RankCorrelations(Matrix({a}), Matrix({b}));
  EXPECT_TRUE(result.ok()) << result.status();
  return result->item<double>();
}

TEST(AverageRanksTest, TiesShareTheMeanOfTheirRanks) {
  EXPECT_TRUE(
      TensorsNear(AverageRanks(Matrix({{3, 1, 2}, {5, 5, -1}, {7, 7, 7}})),
                  Matrix({{3, 1, 2}, {2.5, 2.5, 1}, {2, 2, 2}}), 0.0));
  // As many below as above the middle, whatever the ties.
  torch::manual_seed(0);
  const at::Tensor values = at::randint(0, 6, {20, 50});
  EXPECT_TRUE(TensorsNear(AverageRanks(values).sum(1),
                          at::full({20}, 50.0 * 51 / 2, at::kDouble), 0.0));
}

// By pairs instead of by sorting: 1 + (entries below) + (others equal) / 2.
TEST(AverageRanksTest, CountThePairs) {
  torch::manual_seed(1);
  const at::Tensor values = at::randint(-3, 4, {4, 31}).to(at::kFloat) / 4;
  const at::Tensor below =
      (values.unsqueeze(1) < values.unsqueeze(2)).sum(2).to(at::kDouble);
  const at::Tensor equal =
      (values.unsqueeze(1) == values.unsqueeze(2)).sum(2).to(at::kDouble);
  EXPECT_TRUE(TensorsNear(AverageRanks(values), below + (equal + 1) / 2, 0.0));
}

// Without ties 1 − 6 Σ d² / (n (n² − 1)).
TEST(RankCorrelationsTest, IsTheTextbookFormulaWithoutTies) {
  // Differences of ranks 1, −1, 0, 1, −1.
  EXPECT_NEAR(Correlation({10, 20, 30, 40, 50}, {2, 1, 3, 5, 4}),
              1.0 - 6.0 * 4 / (5 * 24), 1e-14);
  torch::manual_seed(2);
  const at::Tensor a = at::rand({6, 40}, at::kDouble);
  const at::Tensor b = at::rand({6, 40}, at::kDouble);
  const at::Tensor d = AverageRanks(a) - AverageRanks(b);
  const at::Tensor expected =
      1.0 - 6.0 * d.square().sum(1) / (40.0 * (40.0 * 40.0 - 1.0));
  EXPECT_TRUE(TensorsNear(*RankCorrelations(a, b), expected, 1e-13));
}

TEST(RankCorrelationsTest, SeesTheOrderAlone) {
  const std::vector<double> a = {-2, -1, 0.5, 3, 9};
  std::vector<double> cubes;
  std::vector<double> opposite;
  for (const double x : a) {
    cubes.push_back(x * x * x + 5);
    opposite.push_back(-std::exp(x));
  }
  EXPECT_NEAR(Correlation(a, cubes), 1.0, 1e-15);
  EXPECT_NEAR(Correlation(a, opposite), -1.0, 1e-15);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_NEAR(Correlation(a, {-infinity, 0, 1, 2, infinity}), 1.0, 1e-15);
}

TEST(RankCorrelationsTest, WithTiesIsPearsonsCorrelationOfTheRanks) {
  // Ranks 1.5 1.5 3 4 and 1 2.5 2.5 4, less 2.5: the product is 3.75, the
  // squares sum to 4.5 each.
  EXPECT_NEAR(Correlation({0, 0, 1, 2}, {0, 3, 3, 7}), 3.75 / 4.5, 1e-14);
}

TEST(RankCorrelationsTest, AConstantRowHasNone) {
  const auto result =
      RankCorrelations(Matrix({{1, 1}, {1, 2}}), Matrix({{1, 2}, {1, 2}}));
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(std::isnan((*result)[0].item<double>()));
  EXPECT_NEAR((*result)[1].item<double>(), 1.0, 1e-15);
}

TEST(RankCorrelationsTest, BadInputIsAnError) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_TRUE(FailsWith(RankCorrelations(at::rand({2, 3}), at::rand({2, 4})),
                        invalid, {"(2, 3)", "(2, 4)"}));
  EXPECT_TRUE(
      FailsWith(RankCorrelations(at::rand({3}), at::rand({3})), invalid, {}));
  EXPECT_TRUE(FailsWith(RankCorrelations(at::rand({0, 3}), at::rand({0, 3})),
                        invalid, {}));
  EXPECT_TRUE(FailsWith(RankCorrelations(at::rand({1, 3}), {}), invalid, {}));
  EXPECT_TRUE(
      FailsWith(RankCorrelations(Matrix({{1, std::nan("")}}), Matrix({{1, 2}})),
                invalid, {"not a number"}));
}

}  // namespace
}  // namespace lipschitz
