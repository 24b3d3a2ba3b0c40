#include "experiments/orthonormal_training/orthonormal_training.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "gtest/gtest.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

// Inside a test, Run is GoogleTest's.
using PlannedRun = Run;

RunOutcome Execute(const PlannedRun& run, uint64_t seed) {
  SetSeed(seed);
  RunContext context;
  context.seed = seed;
  const auto outcome = run.execute(context);
  EXPECT_TRUE(outcome.ok()) << run.label << ": " << outcome.status();
  return outcome.ok() ? *outcome : RunOutcome{};
}

std::vector<PlannedRun> PlanOf(
    Preset preset, const OrthonormalTrainingSettings& settings = {}) {
  const auto plan =
      OrthonormalTrainingExperiment(settings).Plan(SettingsOf(preset));
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : std::vector<PlannedRun>{};
}

TEST(OrthonormalTraining, PlansEveryVariantOnceUnderItsOwnName) {
  const std::vector<PlannedRun> plan = PlanOf(Preset::kQuick);
  EXPECT_EQ(plan.size(), 12u);
  std::set<std::string> slugs;
  for (const PlannedRun& run : plan) slugs.insert(run.slug);
  EXPECT_EQ(slugs.size(), plan.size());
}

TEST(OrthonormalTraining, NoVariantPassesTheLargestMargin) {
  for (const PlannedRun& run : PlanOf(Preset::kSmoke)) {
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << run.label << outcome.verdict;
    EXPECT_LE(outcome.metrics.at("mean_margin"), std::sqrt(0.5) + 1e-6)
        << run.label;
    ASSERT_TRUE(outcome.lipschitz.has_value());
    EXPECT_LE(outcome.lipschitz->upper_bound, 1.0 + 1e-5) << run.label;
  }
}

TEST(OrthonormalTraining, ThreeWaysToOrthonormalWeightsReachTheSameMargin) {
  OrthonormalTrainingSettings settings;
  settings.constraints = {"bjorck", "polar", "stiefel"};
  settings.activations = {"groupsort4"};
  for (const PlannedRun& run : PlanOf(Preset::kQuick, settings)) {
    const RunOutcome outcome = Execute(run, 3);
    EXPECT_NEAR(outcome.metrics.at("mean_margin"), 0.692, 0.008) << run.label;
    EXPECT_EQ(outcome.metrics.at("test_accuracy"), 1.0) << run.label;
  }
}

TEST(OrthonormalTraining, StiefelDriftsLittleAndIsStoredExactly) {
  OrthonormalTrainingSettings settings;
  settings.constraints = {"stiefel"};
  settings.activations = {"maxmin"};
  const RunOutcome outcome = Execute(PlanOf(Preset::kQuick, settings)[0], 1);
  // max_drift is a spectral norm, the defect a Frobenius norm.
  EXPECT_LE(outcome.metrics.at("largest_defect"), 0.08);
  EXPECT_GT(outcome.metrics.at("largest_defect"), 0.0);
  EXPECT_LE(outcome.metrics.at("final_defect"), 2e-6);
  EXPECT_LE(outcome.lipschitz->upper_bound, 1.0 + 1e-6);
}

TEST(OrthonormalTraining, TheSameSeedGivesTheSameOutcome) {
  const std::vector<PlannedRun> plan = PlanOf(Preset::kSmoke);
  for (const PlannedRun& run : plan) {
    const RunOutcome a = Execute(run, 7);
    const RunOutcome b = Execute(run, 7);
    EXPECT_EQ(a.metrics, b.metrics) << run.label;
  }
}

TEST(OrthonormalTraining, SettingsThatMakeNoSenseAreNamed) {
  const auto fails = [](const OrthonormalTrainingSettings& settings,
                        const std::string& named) {
    const auto plan = OrthonormalTrainingExperiment(settings).Plan(
        SettingsOf(Preset::kQuick));
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(plan.status().message());
    EXPECT_NE(message.find(named), std::string::npos) << message;
  };
  OrthonormalTrainingSettings settings;
  settings.constraints = {"cayley"};
  fails(settings, "cayley");
  settings = {};
  settings.activations = {"groupsort5"};
  fails(settings, "64");
  settings = {};
  settings.steps = 0;
  fails(settings, "steps");
  settings = {};
  settings.constraints = {"polar", "polar"};
  fails(settings, "twice");
  settings.constraints = {};
  fails(settings, "--constraint");
}

TEST(OrthonormalTraining, TheProgramWritesRecordsTableAndFigure) {
  const std::string folder = testing::NewFolder("orthonormal");
  const auto run = testing::RunProcess(
      {testing::DataFile(
           "experiments/orthonormal_training/orthonormal_training"),
       "--preset=smoke", "--device=cpu", "--threads=1", "--activation=maxmin",
       "--constraint=polar,stiefel", "--results_dir=" + folder});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_NE(run.standard_output.find("| maxmin     | stiefel"),
            std::string::npos)
      << run.standard_output;
  const RecordSet set = ReadRecords(folder, "orthonormal_training");
  EXPECT_TRUE(set.problems.empty());
  EXPECT_EQ(set.records.size(), 2u);
}

}  // namespace
}  // namespace lipschitz::experiments
