#include "experiments/wasserstein_estimation/report.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

using namespace std::string_literals;

Record MakeRecord(const std::string& constraint, const std::string& activation,
                  uint64_t seed, double estimate, double bound = 1.0) {
  Record record;
  record.experiment = "wasserstein_estimation";
  record.preset = "quick";
  record.dataset = "mnist";
  record.seed = seed;
  record.variant = {{"generator", "wgan"}, {"samples", "held_out"},
                    {"network", "dense"},  {"constraint", constraint},
                    {"depth", 3},          {"activation", activation}};
  record.config = {{"version", 1}, {"dataset", "mnist"}};
  record.metrics = {{"wasserstein_estimate", estimate},
                    {"interval_lower", estimate - 0.1},
                    {"interval_upper", estimate + 0.1}};
  record.lipschitz = LipschitzRecord{Norm::kL2, bound, 0.9 * bound};
  return record;
}

size_t ColumnOf(const Table& table, const std::string& title) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].title == title) return i;
  }
  ADD_FAILURE() << "no column " << title;
  return 0;
}

std::string TextIn(const Table& table, size_t row, const std::string& title) {
  return std::get<std::string>(table.rows.at(row).at(ColumnOf(table, title)));
}

Summary SummaryIn(const Table& table, size_t row, const std::string& title) {
  return std::get<Summary>(table.rows.at(row).at(ColumnOf(table, title)));
}

constexpr char kOrdering[] = "larger groups ≥ maxmin > relu";

// Seed by seed: the ratio of the means would be 2.4 / 1.5.
TEST(EstimationReport, RatiosAreThoseOfTheSameSeed) {
  const std::vector<Record> records = {
      MakeRecord("stiefel", "relu", 0, 1.0),
      MakeRecord("stiefel", "relu", 1, 2.0),
      MakeRecord("stiefel", "maxmin", 0, 1.3),
      MakeRecord("stiefel", "maxmin", 1, 2.6),
      MakeRecord("stiefel", "fullsort", 0, 2.0),
      MakeRecord("stiefel", "fullsort", 1, 2.8),
      // Without ReLU of this seed.
      MakeRecord("stiefel", "fullsort", 2, 2.4)};
  const Table ordering = OrderingTable(records);
  ASSERT_EQ(ordering.rows.size(), 1u);
  const Summary gain = SummaryIn(ordering, 0, "best sorting over relu");
  EXPECT_EQ(gain.count, 2);
  EXPECT_DOUBLE_EQ(gain.mean, (2.0 + 1.4) / 2.0);
  EXPECT_EQ(TextIn(ordering, 0, "≥ 1.20"), "met");
  EXPECT_EQ(TextIn(ordering, 0, kOrdering), "yes");
}

TEST(EstimationReport, MissesAreCalledMisses) {
  const Table ordering =
      OrderingTable({MakeRecord("stiefel", "relu", 0, 1.0),
                     MakeRecord("stiefel", "maxmin", 0, 1.1),
                     MakeRecord("stiefel", "groupsort4", 0, 1.05),
                     MakeRecord("spectral", "relu", 0, 1.0),
                     MakeRecord("spectral", "maxmin", 0, 0.9),
                     MakeRecord("spectral", "groupsort4", 0, 1.5)});
  ASSERT_EQ(ordering.rows.size(), 2u);
  for (size_t row = 0; row < 2; ++row) {
    if (TextIn(ordering, row, "constraint") == "stiefel") {
      EXPECT_EQ(TextIn(ordering, row, "≥ 1.20"), "missed");
      EXPECT_EQ(TextIn(ordering, row, kOrdering), "no: larger groups < maxmin");
    } else {
      EXPECT_EQ(TextIn(ordering, row, "≥ 1.20"), "met");
      EXPECT_EQ(TextIn(ordering, row, kOrdering), "no: maxmin ≤ relu");
    }
  }
}

TEST(EstimationReport, WhatIsNoBoundIsFlaggedAndHasNoRank) {
  const std::vector<Record> records = {
      MakeRecord("gradient_penalty", "leaky_relu", 0, 1.0, /*bound=*/26.0),
      MakeRecord("clipping", "leaky_relu", 0, 1.0, /*bound=*/0.4),
      MakeRecord("stiefel", "relu", 0, 1.0)};
  const Table table = EstimationTable(records);
  ASSERT_EQ(table.rows.size(), 3u);
  const auto is_bound = [&table](size_t row) {
    return std::pair(TextIn(table, row, "constraint"),
                     TextIn(table, row, "difference is a bound"));
  };
  EXPECT_EQ(is_bound(0), std::pair("stiefel"s, "yes"s));
  // A mean difference that no K was divided out of, K being below 1, is one.
  EXPECT_EQ(is_bound(1), std::pair("clipping"s, "not by itself"s));
  EXPECT_EQ(is_bound(2), std::pair("gradient_penalty"s, "not a bound"s));
  EXPECT_TRUE(OrderingTable(records).rows.empty());
}

}  // namespace
}  // namespace lipschitz::experiments
