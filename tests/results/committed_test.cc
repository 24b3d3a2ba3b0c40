// The committed records hold what the project claims, and the committed tables
// are what they give.
#include <set>
#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/overview.h"
#include "experiments/common/record.h"
#include "experiments/registry.h"
#include "gtest/gtest.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

std::vector<Record> Committed(const std::string& experiment) {
  RecordSet set = ReadRecords(testing::DataFile("results"), experiment);
  EXPECT_TRUE(set.problems.empty()) << set.problems.front();
  EXPECT_FALSE(set.records.empty()) << experiment;
  return set.records;
}

TEST(CommittedResults, TablesAreWhatTheRecordsGive) {
  for (const auto& experiment : AllExperiments()) {
    const Table table = experiment->MakeTable(
        StandardRecords(Committed(experiment->name()), Preset::kQuick));
    const std::string stem =
        testing::DataFile("results/tables/" + experiment->name());
    EXPECT_EQ(testing::ReadText(stem + ".md"), table.ToMarkdown());
    EXPECT_EQ(testing::ReadText(stem + ".csv"), table.ToCsv());
  }
}

TEST(CommittedResults, ReportIsWhatTheRecordsGive) {
  EXPECT_EQ(testing::ReadText(testing::DataFile("results/README.md")),
            OverviewPage(AllExperiments(), testing::DataFile("results")));
}

TEST(CommittedResults, NoEstimateOfAnyVariantBreaksItsCertificate) {
  for (const Record& record : Committed("absolute_value")) {
    // A user's own training with other settings may fail.
    if (!record.ok() && !IsStandard(record)) continue;
    EXPECT_TRUE(record.ok()) << record.slug << ": " << record.message;
    EXPECT_LE(record.metrics.at("wasserstein_estimate"), 1.0 + 1e-6)
        << record.slug;
    ASSERT_TRUE(record.lipschitz.has_value()) << record.slug;
    EXPECT_LE(record.lipschitz->upper_bound, 1.0 + 1e-5) << record.slug;
  }
}

TEST(CommittedResults, AbsoluteValueReachesWhatItsReadmeClaims) {
  const std::set<std::string> preserving = {"abs", "maxmin", "groupsort4",
                                            "fullsort"};
  int reached = 0;
  int halves = 0;
  for (const Record& record :
       StandardRecords(Committed("absolute_value"), Preset::kQuick)) {
    const std::string activation = record.variant.at("activation");
    const double estimate = record.metrics.at("wasserstein_estimate");
    if (record.variant.at("constraint") == "bjorck" &&
        preserving.count(activation) > 0) {
      EXPECT_GE(estimate, 0.9995) << record.slug;
      EXPECT_LE(record.wall_seconds, 20.0) << record.slug;
      ++reached;
    }
    if (activation == "relu" && record.variant.at("hidden_layers") == 1) {
      EXPECT_LE(estimate, 0.5) << record.slug;
      ++halves;
    }
  }
  // Four activations, three depths, three seeds; three constraints, three
  // seeds.
  EXPECT_GE(reached, 36);
  EXPECT_GE(halves, 9);
}

TEST(CommittedResults, FunctionFittingReachesWhatItsReadmeClaims) {
  const std::vector<Record> records =
      StandardRecords(Committed("function_fitting"), Preset::kQuick);
  int reached = 0;
  int missed = 0;
  for (const VariantRecords& group : GroupByVariant(records)) {
    const std::string label = group.variant.dump();
    EXPECT_EQ(group.failed, 0) << label;
    ASSERT_FALSE(group.ok.empty()) << label;
    for (const Record* record : group.ok) {
      ASSERT_TRUE(record->lipschitz.has_value()) << label;
      EXPECT_LE(record->lipschitz->upper_bound, 1.0 + 1e-5) << label;
      EXPECT_LE(record->lipschitz->lower_bound,
                record->lipschitz->upper_bound + 1e-9)
          << label;
    }
    if (group.variant.at("constraint") != "stiefel" ||
        group.variant.at("width") != 32 ||
        group.variant.at("hidden_layers") != 4 || group.ok[0]->curves.empty()) {
      continue;
    }
    if (group.variant.at("activation") == "groupsort4") {
      EXPECT_LE(SummariseMetric(group, "sup_error_bound").mean, 0.01) << label;
      ++reached;
    } else if (group.variant.at("activation") == "relu") {
      EXPECT_GE(SummariseMetric(group, "sup_error").mean, 0.02) << label;
      ++missed;
    }
  }
  // The functions on the line.
  EXPECT_EQ(reached, 5);
  EXPECT_EQ(missed, 5);
}

TEST(CommittedResults, NoAttackBrokeACertificate) {
  int attacked = 0;
  for (const Record& record : Committed("mnist_robustness")) {
    EXPECT_TRUE(record.ok()) << record.slug << ": " << record.message;
    // Runs that compared settings on validation images have no certificates.
    if (record.metrics.count("gate_attacked") == 0) continue;
    EXPECT_EQ(record.metrics.at("gate_broken"), 0.0) << record.slug;
    attacked += static_cast<int>(record.metrics.at("gate_attacked"));
    ASSERT_TRUE(record.lipschitz.has_value()) << record.slug;
    EXPECT_LE(record.lipschitz->lower_bound,
              record.lipschitz->upper_bound * (1 + 1e-6))
        << record.slug;
    // What is certified withstands every attack that was tried.
    for (const char* radius : {"0.3", "1.58", "0.1"}) {
      const auto certified =
          record.metrics.find(std::string("certified_") + radius);
      if (certified == record.metrics.end()) continue;
      EXPECT_LE(record.metrics.at(std::string("certified_naive_") + radius),
                certified->second)
          << record.slug;
    }
  }
  EXPECT_GT(attacked, 100000);
}

// Means over the seeds of what the READMEs of the critic experiments claim.
TEST(CommittedResults, CriticsReachTheKnownDistances) {
  const auto mean = [](const std::string& experiment, const Json& variant) {
    const std::vector<Record> records =
        StandardRecords(Committed(experiment), Preset::kQuick);
    double value = 0.0;
    for (const VariantRecords& group : GroupByVariant(records)) {
      if (group.variant != variant) continue;
      EXPECT_GE(group.ok.size(), 3u) << variant.dump();
      EXPECT_EQ(group.failed, 0) << variant.dump();
      value = SummariseMetric(group, "estimate_over_exact").mean;
    }
    EXPECT_LE(value, 1.0 + 1e-6) << experiment << variant.dump();
    return value;
  };
  const auto of = [](const char* activation) {
    return Json{{"activation", activation}, {"constraint", "stiefel"}};
  };
  EXPECT_GE(mean("three_cones", of("groupsort4")), 0.99);
  EXPECT_LE(mean("three_cones", of("relu")), 0.7);
  for (const auto& [dimension, reached] :
       {std::pair(128, 0.999), {256, 0.998}, {512, 0.995}}) {
    Json variant = of("fullsort");
    variant["hidden_layers"] = 3;
    variant["dimension"] = dimension;
    EXPECT_GE(mean("high_dimensional_cone", variant), reached) << dimension;
  }
  for (const char* activation : {"relu", "maxmin", "groupsort4", "fullsort"}) {
    EXPECT_GE(mean("squares", of(activation)), 34.99 / 35.0) << activation;
  }
  Json mixtures = of("fullsort");
  mixtures["samples"] = "mixtures_2d";
  EXPECT_GE(mean("transport_accuracy", mixtures), 0.99);
}

}  // namespace
}  // namespace lipschitz::experiments
