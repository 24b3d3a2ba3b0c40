#include "experiments/common/critic_experiment.h"

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/testing/runs.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using testing::Execute;
using testing::FailsWith;
using testing::PlanOf;

// Two points at distance 5, whose distance the experiment states as `exact`.
class TwoPoints : public CriticExperiment {
 public:
  explicit TwoPoints(CriticSettings settings = {}, double exact = 5.0)
      : CriticExperiment(std::move(settings)), exact_(exact) {}

  std::string name() const override { return "two_points"; }

 protected:
  absl::StatusOr<std::vector<CriticRun>> Runs(
      const CommonSettings&) const override {
    std::vector<CriticRun> runs;
    for (const auto& [constraint, kind] :
         {std::pair("stiefel", ConstraintKind::kStiefel),
          std::pair("none", ConstraintKind::kNone)}) {
      CriticRun run;
      run.variant = {{"activation", "maxmin"}, {"constraint", constraint}};
      run.slug = constraint;
      run.config.mlp().hidden = {8};
      run.config.mlp().activation = ActivationSpec::MaxMin();
      run.config.mlp().constraint.kind = kind;
      run.config.batch_size = 0;
      run.config.steps = 300;
      run.problem = [exact =
                         exact_](uint64_t) -> absl::StatusOr<CriticProblem> {
        CriticProblem problem;
        problem.p_samples = torch::zeros({1, 2});
        problem.p_samples[0][0] = 3.0;
        problem.q_samples = torch::zeros({1, 2});
        problem.q_samples[0][1] = 4.0;
        problem.exact = exact;
        return problem;
      };
      runs.push_back(std::move(run));
    }
    return runs;
  }
  int version() const override { return 1; }
  std::string table_title() const override { return "two points"; }
  std::vector<std::pair<std::string, std::string>> table_keys() const override {
    return {{"constraint", "constraint"}};
  }

 private:
  double exact_;
};

CommonSettings Quick() { return SettingsOf(Preset::kQuick); }

TEST(CriticExperiment, ReportsWhatTheCriticFound) {
  const auto plan = PlanOf(TwoPoints(), Quick());
  ASSERT_EQ(plan.size(), 2u);
  const RunOutcome outcome = Execute(plan[0], 0);
  EXPECT_TRUE(outcome.verdict.ok()) << outcome.verdict;
  EXPECT_NEAR(outcome.metrics.at("wasserstein_estimate"), 5.0, 1e-3);
  EXPECT_EQ(outcome.metrics.at("wasserstein_exact"), 5.0);
  EXPECT_NEAR(outcome.metrics.at("estimate_over_exact"), 1.0, 1e-3);
  EXPECT_NEAR(outcome.metrics.at("gradient_norm_mean"), 1.0, 1e-3);
  EXPECT_NEAR(outcome.lipschitz->lower_bound, 1.0, 1e-3);
}

// Its mean difference is no bound, but divided by its proven constant it is.
TEST(CriticExperiment, UnconstrainedCriticsAreDividedByTheirConstant) {
  const RunOutcome outcome = Execute(PlanOf(TwoPoints(), Quick())[1], 0);
  EXPECT_TRUE(outcome.verdict.ok()) << outcome.verdict;
  EXPECT_GT(outcome.metrics.at("mean_difference"), 5.0);
  EXPECT_GT(outcome.lipschitz->upper_bound, 1.0);
  EXPECT_LE(outcome.metrics.at("wasserstein_estimate"), 5.0);
}

// Every row of the table says whether what was trained is a bound.
TEST(CriticExperiment, TableMarksWhatIsNoBound) {
  const TwoPoints experiment;
  std::vector<Record> records;
  for (const auto& run : PlanOf(experiment, Quick())) {
    const RunOutcome outcome = Execute(run, 0);
    Record record;
    record.preset = "quick";
    record.variant = run.variant;
    record.config = run.config;
    record.metrics = outcome.metrics;
    record.lipschitz = outcome.lipschitz;
    record.parameters = outcome.parameters;
    records.push_back(std::move(record));
  }
  const std::string table = experiment.MakeTable(records).ToCsv();
  const std::vector<std::string> lines = absl::StrSplit(table, '\n');
  ASSERT_GE(lines.size(), 3u);
  EXPECT_TRUE(absl::StrContains(lines[0], "is a bound"));
  EXPECT_TRUE(absl::StrContains(lines[1], ",yes,")) << lines[1];
  EXPECT_TRUE(absl::StrContains(lines[2], ",not a bound,")) << lines[2];
  // 2 × 8 + 8 and 8 × 1 + 1 numbers.
  EXPECT_TRUE(absl::StrContains(lines[1], ",33,")) << lines[1];
}

TEST(CriticExperiment, AnEstimateAboveTheExactDistanceFailsTheRun) {
  const RunOutcome outcome =
      Execute(PlanOf(TwoPoints({}, /*exact=*/4.9), Quick())[0], 0);
  EXPECT_TRUE(FailsWith(outcome.verdict, absl::StatusCode::kFailedPrecondition,
                        {"certificate broken", "4.9"}));
}

TEST(CriticExperiment, SettingsChooseAndReplace) {
  CriticSettings settings;
  settings.constraints = {"none"};
  settings.steps = 7;
  settings.hidden = std::vector<int64_t>{4, 4};
  settings.optimizer = OptimizerKind::kAggMo;
  const auto plan = PlanOf(TwoPoints(settings), Quick());
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].config.at("steps"), 7);
  EXPECT_EQ(plan[0].config.at("hidden"), "4-4");
  EXPECT_EQ(plan[0].config.at("optimizer"), "aggmo");
  EXPECT_EQ(plan[0].config.at("customised"), true);
  // A record of the preset's run is not overwritten.
  EXPECT_NE(plan[0].slug, "none");
}

TEST(CriticExperiment, SettingsThatMakeNoSenseAreErrors) {
  CriticSettings settings;
  settings.activations = {"relu"};
  EXPECT_TRUE(FailsWith(TwoPoints(settings).Plan(Quick()),
                        absl::StatusCode::kInvalidArgument,
                        {"--activation", "'relu'", "it knows"}));
  settings = {};
  settings.constraints = {"bjork"};
  EXPECT_TRUE(FailsWith(TwoPoints(settings).Plan(Quick()),
                        absl::StatusCode::kInvalidArgument,
                        {"--constraint", "'bjork'", "none"}));
  settings = {};
  settings.problems = {"two_points"};
  EXPECT_TRUE(FailsWith(TwoPoints(settings).Plan(Quick()),
                        absl::StatusCode::kInvalidArgument,
                        {"--problem", "two_points has one problem"}));
  // MaxMin takes pairs.
  settings = {};
  settings.hidden = std::vector<int64_t>{7};
  EXPECT_TRUE(FailsWith(TwoPoints(settings).Plan(Quick()),
                        absl::StatusCode::kInvalidArgument,
                        {"hidden layer 1", "7"}));
  settings = {};
  settings.steps = -1;
  EXPECT_TRUE(FailsWith(TwoPoints(settings).Plan(Quick()),
                        absl::StatusCode::kInvalidArgument, {"steps", "-1"}));
}

TEST(CriticExperiment, TableShowsEstimateBesideExact) {
  Record record;
  record.experiment = "two_points";
  record.variant = {{"activation", "maxmin"}, {"constraint", "stiefel"}};
  record.preset = "quick";
  record.metrics = {{"wasserstein_estimate", 4.5},
                    {"wasserstein_exact", 5.0},
                    {"estimate_over_exact", 0.9},
                    {"mean_difference", 4.5},
                    {"gradient_norm_mean", 0.95}};
  const std::string table = TwoPoints().MakeTable({record}).ToMarkdown();
  for (const char* text :
       {"two points", "stiefel", "4.50000", "5.0000", "0.90000", "0.950"}) {
    EXPECT_NE(table.find(text), std::string::npos) << text << "\n" << table;
  }
}

}  // namespace
}  // namespace lipschitz::experiments
