#include "experiments/common/findings.h"

#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/finding.h"
#include "experiments/common/record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/experiments/common/fake_experiment.h"

namespace lipschitz::experiments {
namespace {

using ::testing::ElementsAre;

Record RecordOf(const std::string& activation, int depth, uint64_t seed,
                double score) {
  Record record;
  record.experiment = "fake";
  record.preset = "quick";
  record.seed = seed;
  record.variant = {{"activation", activation}, {"depth", depth}};
  record.metrics = {{"score", score}};
  return record;
}

std::vector<Record> Records() {
  std::vector<Record> records = {
      RecordOf("relu", 1, 0, 0.25), RecordOf("relu", 1, 1, 0.75),
      RecordOf("relu", 2, 0, 0.625), RecordOf("maxmin", 1, 0, 1.0),
      RecordOf("maxmin", 2, 0, 0.875)};
  records[4].dataset = "mnist";
  // Counted nowhere.
  records.push_back(RecordOf("maxmin", 1, 1, 100.0));
  records.back().status = "failed";
  return records;
}

TEST(MeansOf, AreThoseOfTheVariantsThatHaveTheValues) {
  const std::vector<Record> records = Records();
  EXPECT_EQ(MeansOf(records, Json::object(), "score").size(), 4u);
  const auto relu = MeansOf(records, {{"activation", "relu"}}, "score");
  ASSERT_EQ(relu.size(), 2u);
  EXPECT_DOUBLE_EQ(relu[0].summary.mean, 0.5);
  EXPECT_EQ(relu[0].summary.count, 2);
  EXPECT_EQ(
      MeansOf(records, {{"activation", {"relu", "maxmin"}}, {"depth", {1, 2}}},
              "score")
          .size(),
      4u);
  EXPECT_TRUE(MeansOf(records, {{"activation", "abs"}}, "score").empty());
  EXPECT_TRUE(MeansOf(records, {{"width", 1}}, "score").empty());
  EXPECT_TRUE(MeansOf(records, Json::object(), "loss").empty());
}

TEST(MeansOf, HaveALeastAndALargest) {
  const auto means = MeansOf(Records(), Json::object(), "score");
  EXPECT_DOUBLE_EQ(Least(means).summary.mean, 0.5);
  EXPECT_DOUBLE_EQ(Largest(means).summary.mean, 1.0);
  EXPECT_EQ(NameOf(Largest(means).variant), "maxmin, 1");
}

TEST(MeanOf, IsOfOneVariantOrNone) {
  const auto mean =
      MeanOf(Records(), {{"activation", "maxmin"}, {"depth", 1}}, "score");
  ASSERT_TRUE(mean.has_value());
  EXPECT_DOUBLE_EQ(mean->mean, 1.0);
  EXPECT_EQ(Text(*mean, 2), "1.00");
  EXPECT_EQ(Text(*MeanOf(Records(), {{"activation", "relu"}}, "score"), 3),
            "0.500 ± 0.354");
  EXPECT_FALSE(MeanOf(Records(), {{"depth", 3}}, "score").has_value());
}

TEST(Datasets, AreToldApart) {
  EXPECT_THAT(DatasetsOf(Records()), ElementsAre("", "mnist"));
  EXPECT_EQ(OfDataset(Records(), "mnist").size(), 1u);
  EXPECT_EQ(OfDataset(Records(), "").size(), 5u);
}

Finding OnlyFinding(const std::vector<Check>& checks) {
  std::vector<Finding> findings;
  AddFinding("It holds.", "a_figure", checks, &findings);
  EXPECT_EQ(findings.size(), 1u);
  return findings.at(0);
}

TEST(AddFinding, IsReproducedWhenAllHoldAndNotWhenNoneDoes) {
  const Finding all = OnlyFinding({{"a 1", true}, {"b 2", true}});
  EXPECT_EQ(all.claim, "It holds.");
  EXPECT_EQ(all.figure, "a_figure");
  EXPECT_EQ(all.measured, "a 1; b 2");
  EXPECT_EQ(all.verdict, ClaimVerdict::kReproduced);
  const Finding none = OnlyFinding({{"a 1", false}, {"b 2", false}});
  EXPECT_EQ(none.measured, "a 1; b 2");
  EXPECT_EQ(none.verdict, ClaimVerdict::kNotReproduced);
}

TEST(AddFinding, OtherwiseInPartAndSaysWhatSpeaksAgainstIt) {
  const Finding some = OnlyFinding({{"a 1", true}, {"b 2", false}});
  EXPECT_EQ(some.measured, "a 1; b 2 (✗)");
  EXPECT_EQ(some.verdict, ClaimVerdict::kInPart);
}

TEST(AddFinding, WithoutChecksNothingIsSaid) {
  std::vector<Finding> findings;
  AddFinding("It holds.", "", {}, &findings);
  EXPECT_TRUE(findings.empty());
}

TEST(Experiment, MakesNoClaimUnlessItSaysSo) {
  const FakeExperiment experiment;
  EXPECT_TRUE(experiment.Findings(Records()).empty());
  EXPECT_EQ(experiment.Description().claim, "");
}

}  // namespace
}  // namespace lipschitz::experiments
