#include "experiments/function_fitting/function_fitting.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

// Inside a test, Run is GoogleTest's.
using PlannedRun = Run;

std::vector<PlannedRun> PlanOf(Preset preset,
                               const FunctionFittingSettings& settings = {}) {
  const auto plan =
      FunctionFittingExperiment(settings).Plan(SettingsOf(preset));
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : std::vector<PlannedRun>{};
}

RunOutcome Execute(const PlannedRun& run, uint64_t seed) {
  SetSeed(seed);
  RunContext context;
  context.seed = seed;
  const auto outcome = run.execute(context);
  EXPECT_TRUE(outcome.ok()) << run.label << ": " << outcome.status();
  return outcome.ok() ? *outcome : RunOutcome{};
}

// The largest error after a short training on the quick preset's grid.
double LargestError(const std::string& function, const std::string& constraint,
                    const std::string& activation) {
  FunctionFittingSettings settings;
  settings.replaced = {{function}, {constraint}, {activation}, {16}, {3}};
  settings.steps = 400;
  const std::vector<PlannedRun> plan = PlanOf(Preset::kQuick, settings);
  EXPECT_EQ(plan.size(), 1u);
  const RunOutcome outcome = Execute(plan[0], 1);
  EXPECT_TRUE(outcome.verdict.ok()) << outcome.verdict;
  return outcome.metrics.at("sup_error");
}

TEST(FunctionFitting, PlansEveryVariantOnceUnderItsOwnName) {
  for (const Preset preset : {Preset::kSmoke, Preset::kQuick, Preset::kPaper}) {
    const std::vector<PlannedRun> plan = PlanOf(preset);
    std::set<std::string> slugs;
    std::set<Json> variants;
    for (const PlannedRun& run : plan) {
      slugs.insert(run.slug);
      variants.insert(run.variant);
      // K bounds them in the wrong norm.
      if (run.variant.at("norm") == "linf") {
        EXPECT_EQ(run.variant.at("constraint"), "linf_rows") << run.label;
      }
    }
    EXPECT_EQ(slugs.size(), plan.size());
    EXPECT_EQ(variants.size(), plan.size());
  }
}

TEST(FunctionFitting, NoVariantIsSteeperThanItsConstantOf1) {
  for (const PlannedRun& run : PlanOf(Preset::kSmoke)) {
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << run.label << outcome.verdict;
    ASSERT_TRUE(outcome.lipschitz.has_value());
    EXPECT_EQ(NormName(outcome.lipschitz->norm), run.variant.at("norm"));
    EXPECT_LE(outcome.lipschitz->upper_bound, 1.0 + 1e-5) << run.label;
    EXPECT_LE(outcome.lipschitz->lower_bound,
              outcome.lipschitz->upper_bound + 1e-9)
        << run.label;
    EXPECT_GT(outcome.lipschitz->lower_bound, 0.01) << run.label;
    EXPECT_GE(outcome.metrics.at("sup_error_bound"),
              outcome.metrics.at("sup_error"))
        << run.label;
  }
}

// ReLU networks cannot turn without losing slope.
TEST(FunctionFitting, GroupSortFitsATriangleWaveAndReluDoesNot) {
  for (const std::string constraint : {"stiefel", "linf_rows"}) {
    EXPECT_LE(LargestError("triangle4", constraint, "groupsort4"), 0.06)
        << constraint;
    const double relu = LargestError("triangle4", constraint, "relu");
    EXPECT_GE(relu, 0.2) << constraint;
    // No worse than a constant, which is at 1/2: it was trained.
    EXPECT_LE(relu, 0.52) << constraint;
  }
}

// From the pit at (−1/2, −1/2) to the corner (−1, −1) the distance rises by √½,
// but a function that is 1-Lipschitz in linf by ½ at most.
TEST(FunctionFitting, ConesInL2AreOutOfReachOfNetworksForLinf) {
  const double least = (std::sqrt(0.5) - 0.5) / 2;
  EXPECT_GE(LargestError("distance_l2", "linf_rows", "groupsort4"), least);
  EXPECT_LT(LargestError("distance_l2", "stiefel", "groupsort4"), least);
}

TEST(FunctionFitting, TheSameSeedGivesTheSameOutcome) {
  for (const PlannedRun& run : PlanOf(Preset::kSmoke)) {
    const RunOutcome a = Execute(run, 7);
    const RunOutcome b = Execute(run, 7);
    EXPECT_EQ(a.metrics, b.metrics) << run.label;
    EXPECT_EQ(a.curves, b.curves) << run.label;
  }
}

TEST(FunctionFitting, TheSquareIsTrainedOnFreshPointsUnlessTheGridIsAskedFor) {
  FunctionFittingSettings settings;
  settings.replaced = {{"distance_l2"}, {"stiefel"}, {"groupsort4"}, {16}, {3}};
  settings.steps = 400;
  const PlannedRun fresh = PlanOf(Preset::kQuick, settings).at(0);
  EXPECT_EQ(fresh.config.at("fresh_points"), 128);
  EXPECT_EQ(fresh.config.at("candidates"), 8);
  EXPECT_EQ(fresh.config.at("optimizer"), "muon");
  EXPECT_FALSE(fresh.config.contains("training_points"));
  settings.fresh_points = 0;
  const PlannedRun grid = PlanOf(Preset::kQuick, settings).at(0);
  EXPECT_EQ(grid.config.at("training_points"), 33);
  EXPECT_FALSE(grid.config.contains("fresh_points"));
  EXPECT_FALSE(grid.config.contains("candidates"));
  EXPECT_NE(fresh.slug, grid.slug);
}

// Where the network is the farthest off, at the tips of cones, few points of
// many are.
TEST(FunctionFitting, TheWorstOfManyPointsBringTheLargestErrorDown) {
  double with = 0.0;
  double without = 0.0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    FunctionFittingSettings settings;
    settings.replaced = {{"peak_l2"}, {"stiefel"}, {"groupsort4"}, {16}, {3}};
    settings.steps = 400;
    const PlannedRun run = PlanOf(Preset::kQuick, settings).at(0);
    const RunOutcome outcome = Execute(run, seed);
    EXPECT_TRUE(outcome.verdict.ok()) << outcome.verdict;
    EXPECT_EQ(outcome.metrics, Execute(run, seed).metrics);
    with += outcome.metrics.at("sup_error") / 3;
    settings.candidates = 1;
    without += Execute(PlanOf(Preset::kQuick, settings).at(0), seed)
                   .metrics.at("sup_error") /
               3;
  }
  EXPECT_LE(with, 0.1);
  EXPECT_LE(with, 0.9 * without);
}

TEST(FunctionFitting, ASizeOfItsOwnIsOnlyForItsFunction) {
  const auto has_ten_layers = [](const std::vector<std::string>& functions) {
    FunctionFittingSettings settings;
    settings.replaced.functions = functions;
    const auto plan = PlanOf(Preset::kPaper, settings);
    return std::any_of(plan.begin(), plan.end(), [](const PlannedRun& run) {
      return run.variant.at("hidden_layers") == 10;
    });
  };
  EXPECT_TRUE(has_ten_layers({}));
  EXPECT_TRUE(has_ten_layers({"sine", "peak_linf"}));
  EXPECT_FALSE(has_ten_layers({"sine", "distance_linf"}));
}

// The first start is what the run without others is.
TEST(FunctionFitting, TheBestOfSeveralStartsIsKept) {
  FunctionFittingSettings settings;
  settings.replaced = {{"peak_linf"}, {"linf_rows"}, {"groupsort4"}, {16}, {2}};
  settings.steps = 60;
  const PlannedRun single = PlanOf(Preset::kQuick, settings).at(0);
  EXPECT_FALSE(single.config.contains("starts"));
  settings.starts = 4;
  const PlannedRun run = PlanOf(Preset::kQuick, settings).at(0);
  EXPECT_EQ(run.config.at("starts"), 4);
  EXPECT_NE(run.slug, single.slug);
  int changed = 0;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const RunOutcome alone = Execute(single, seed);
    EXPECT_FALSE(alone.curves.contains("starts"));
    const RunOutcome best = Execute(run, seed);
    const auto errors =
        best.curves.at("starts").at("largest_error").get<std::vector<double>>();
    ASSERT_EQ(errors.size(), 4u);
    EXPECT_EQ(std::set<double>(errors.begin(), errors.end()).size(), 4u);
    const double least = *std::min_element(errors.begin(), errors.end());
    // Random points and the grid of the test lie close together.
    EXPECT_NEAR(alone.metrics.at("sup_error"), errors[0], 0.02);
    EXPECT_NEAR(best.metrics.at("sup_error"), least, 0.02);
    if (least < errors[0]) {
      ++changed;
    } else {
      EXPECT_EQ(best.metrics, alone.metrics);
    }
  }
  EXPECT_GT(changed, 0);
}

// A run that is stopped in its second start goes on there.
TEST(FunctionFitting, StartsAreResumed) {
  FunctionFittingSettings settings;
  settings.replaced = {{"peak_linf"}, {"linf_rows"}, {"groupsort4"}, {16}, {2}};
  settings.steps = 40;
  settings.starts = 3;
  const PlannedRun run = PlanOf(Preset::kQuick, settings).at(0);
  const RunOutcome whole = Execute(run, 1);

  RunContext context;
  context.seed = 1;
  const std::string folder = testing::NewFolder("starts");
  context.checkpoint.path = folder + "/run.checkpoint";
  context.checkpoint.fingerprint = "run";
  int64_t steps = 0;
  context.stop_requested = [&steps] { return ++steps == 60; };
  SetSeed(1);
  EXPECT_EQ(run.execute(context).status().code(), absl::StatusCode::kCancelled);
  context.stop_requested = [&steps] { return ++steps < 0; };
  SetSeed(1);
  const auto resumed = run.execute(context);
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  EXPECT_EQ(steps, 120);
  EXPECT_EQ(resumed->metrics, whole.metrics);
  EXPECT_EQ(resumed->curves, whole.curves);
  // All are finished: another run takes no step.
  SetSeed(1);
  ASSERT_TRUE(run.execute(context).ok());
  EXPECT_EQ(steps, 120);
  // Without resuming those of the other starts are gone before the first one
  // ends.
  context.checkpoint.resume = false;
  context.stop_requested = [] { return true; };
  SetSeed(1);
  EXPECT_EQ(run.execute(context).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(context.checkpoint.path + "-start1"));
  EXPECT_FALSE(std::filesystem::exists(context.checkpoint.path + "-start2"));
}

TEST(FunctionFitting, SettingsThatMakeNoSenseAreNamed) {
  const auto fails = [](const FunctionFittingSettings& settings,
                        const std::string& named) {
    const auto plan =
        FunctionFittingExperiment(settings).Plan(SettingsOf(Preset::kQuick));
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument)
        << named;
    const std::string message(plan.status().message());
    EXPECT_NE(message.find(named), std::string::npos) << message;
  };
  FunctionFittingSettings settings;
  settings.replaced.functions = {"cosine"};
  fails(settings, "cosine");
  settings = {};
  settings.replaced.activations = {"groupsort5"};
  fails(settings, "32");
  settings = {};
  settings.replaced.constraints = {"none"};
  fails(settings, "nothing to run");
  settings = {};
  settings.replaced.widths = {-3};
  fails(settings, "-3");
  settings = {};
  settings.replaced.hidden_layers = {0};
  fails(settings, "hidden_layers");
  settings = {};
  settings.steps = 0;
  fails(settings, "steps");
  settings = {};
  settings.loss_power = 0.5;
  fails(settings, "loss_power");
  settings = {};
  settings.fresh_points = -7;
  fails(settings, "fresh_points");
  settings = {};
  settings.candidates = 0;
  fails(settings, "candidates");
  settings = {};
  settings.starts = 0;
  fails(settings, "starts");
  settings = {};
  settings.fresh_points = 1 << 15;
  settings.candidates = 1 << 15;
  fails(settings, "product");
  settings = {};
  settings.fresh_points = 0;
  settings.candidates = 4;
  fails(settings, "needs fresh_points");
}

TEST(FunctionFitting, TheProgramWritesRecordsTableAndFigures) {
  const std::string folder = testing::NewFolder("fitting");
  const auto run = testing::RunProcess(
      {testing::DataFile("experiments/function_fitting/function_fitting"),
       "--preset=smoke", "--device=cpu", "--threads=1", "--function=triangle2",
       "--constraint=stiefel", "--results_dir=" + folder});
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_NE(run.standard_output.find("| triangle2 | stiefel    | 2 × 8  | "
                                     "groupsort4 |"),
            std::string::npos)
      << run.standard_output;
  const RecordSet set = ReadRecords(folder, "function_fitting");
  EXPECT_TRUE(set.problems.empty());
  // ReLU and GroupSort of one size, and GroupSort in three others.
  EXPECT_EQ(set.records.size(), 5u);
  for (const std::string figure : {"fits", "scaling_triangle2_stiefel"}) {
    EXPECT_TRUE(std::filesystem::exists(
        folder + "/figures/function_fitting_smoke_" + figure + ".svg"))
        << figure;
  }
  const auto bad = testing::RunProcess(
      {testing::DataFile("experiments/function_fitting/function_fitting"),
       "--preset=smoke", "--width=wide", "--results_dir=" + folder});
  EXPECT_EQ(bad.exit_status, 2);
  EXPECT_NE(bad.standard_error.find("wide"), std::string::npos)
      << bad.standard_error;
}

}  // namespace
}  // namespace lipschitz::experiments
