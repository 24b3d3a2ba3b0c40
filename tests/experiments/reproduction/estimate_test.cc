#include "experiments/reproduction/estimate.h"

#include <limits>
#include <optional>
#include <string>

#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/runner.h"
#include "experiments/common/settings.h"
#include "gtest/gtest.h"
#include "tests/experiments/common/fake_experiment.h"

namespace lipschitz::experiments {
namespace {

Record RecordOf(const std::string& slug, double seconds, uint64_t seed = 0) {
  const Run run = FailingRun(slug, absl::OkStatus());
  Record record;
  record.experiment = "fake";
  record.slug = slug;
  record.preset = "quick";
  record.variant = run.variant;
  record.config = run.config;
  record.seed = seed;
  record.wall_seconds = seconds;
  return record;
}

class CostEstimatesTest : public ::testing::Test {
 protected:
  std::optional<double> Seconds(const std::string& slug,
                                Preset preset = Preset::kQuick) const {
    return estimates_.Seconds(
        {&experiment_, FailingRun(slug, absl::OkStatus()), preset, 7});
  }

  FakeExperiment experiment_;
  CostEstimates estimates_;
};

TEST_F(CostEstimatesTest, NothingIsKnownWithoutRecords) {
  EXPECT_FALSE(Seconds("a").has_value());
}

TEST_F(CostEstimatesTest, TheSameConfigurationCountsFirst) {
  estimates_.Add(RecordOf("a", 10, 0));
  estimates_.Add(RecordOf("a", 20, 1));
  estimates_.Add(RecordOf("b", 60));
  EXPECT_DOUBLE_EQ(*Seconds("a"), 15.0);
  EXPECT_DOUBLE_EQ(*Seconds("b"), 60.0);
  // Of the experiment: the mean of all three.
  EXPECT_DOUBLE_EQ(*Seconds("c"), 30.0);
}

TEST_F(CostEstimatesTest, AnotherDatasetCountsSecond) {
  Record other = RecordOf("a", 10);
  other.dataset = "mnist";
  other.config["dataset"] = "mnist";
  estimates_.Add(other);
  estimates_.Add(RecordOf("b", 60));
  EXPECT_DOUBLE_EQ(*Seconds("a"), 10.0);
  estimates_.Add(RecordOf("a", 30));
  EXPECT_DOUBLE_EQ(*Seconds("a"), 30.0);
}

TEST_F(CostEstimatesTest, OtherPresetsAndConfigurationsSayNothing) {
  estimates_.Add(RecordOf("a", 10));
  EXPECT_FALSE(Seconds("a", Preset::kPaper).has_value());
  Record other = RecordOf("a", 30);
  other.config["version"] = 2;
  estimates_.Add(other);
  EXPECT_DOUBLE_EQ(*Seconds("a"), 10.0);
}

TEST_F(CostEstimatesTest, FailedAndUnknownAndCustomisedRunsAreNoMeasure) {
  Record failed = RecordOf("a", 1);
  failed.status = "failed";
  estimates_.Add(failed);
  estimates_.Add(RecordOf("a", std::numeric_limits<double>::quiet_NaN()));
  Record customised = RecordOf("c", 5);
  customised.config["customised"] = true;
  estimates_.Add(customised);
  EXPECT_FALSE(Seconds("a").has_value());
}

TEST(PaceTest, IsTheSumOverTheJobsAtFirst) {
  EXPECT_DOUBLE_EQ(*Pace().SecondsLeft({{10.0, 0}, {20.0, 0}}, 1), 30.0);
  EXPECT_DOUBLE_EQ(*Pace().SecondsLeft({{10.0, 0}, {20.0, 0}, {10.0, 0}}, 2),
                   20.0);
  // The longest cannot be shared.
  EXPECT_DOUBLE_EQ(*Pace().SecondsLeft({{10.0, 0}, {90.0, 0}}, 2), 90.0);
  EXPECT_DOUBLE_EQ(*Pace().SecondsLeft({}, 2), 0.0);
}

TEST(PaceTest, WhatIsBegunIsShorter) {
  EXPECT_DOUBLE_EQ(*Pace().SecondsLeft({{10.0, 4.0}, {20.0, 30.0}}, 1), 6.0);
}

TEST(PaceTest, FollowsWhatFinishedRunsTook) {
  Pace pace;
  pace.Add(10.0, 20.0);
  EXPECT_DOUBLE_EQ(*pace.SecondsLeft({{30.0, 0}}, 1), 60.0);
}

TEST(PaceTest, UnknownRunsAreAsLongAsTheFinishedOnes) {
  Pace pace;
  EXPECT_FALSE(pace.SecondsLeft({{std::nullopt, 0}}, 1).has_value());
  pace.Add(std::nullopt, 8.0);
  EXPECT_DOUBLE_EQ(*pace.SecondsLeft({{std::nullopt, 0}}, 1), 8.0);
}

}  // namespace
}  // namespace lipschitz::experiments
