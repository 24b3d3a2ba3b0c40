#include "experiments/three_cones/three_cones.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/runs.h"

namespace lipschitz::experiments {
namespace {

using testing::Execute;
using testing::PlanOf;

TEST(ThreeCones, NoVariantExceedsTheExactDistance) {
  const auto plan = PlanOf(ThreeConesExperiment(), SettingsOf(Preset::kSmoke));
  EXPECT_EQ(plan.size(), 8u);
  for (const auto& run : plan) {
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << run.label << outcome.verdict;
    EXPECT_LE(outcome.metrics.at("wasserstein_estimate"), 1.0 + 1e-6)
        << run.label;
    ASSERT_TRUE(outcome.lipschitz.has_value());
    EXPECT_LE(outcome.lipschitz->lower_bound,
              outcome.lipschitz->upper_bound + 1e-9)
        << run.label;
    const Json& surface = outcome.curves.at("surface");
    const auto points =
        surface.at("columns").get<size_t>() * surface.at("rows").get<size_t>();
    EXPECT_EQ(surface.at("value").size(), points);
    EXPECT_EQ(surface.at("gradient_norm").size(), points);
  }
}

// The paper's claim in small: sorting finds the cones, ReLU does not.
TEST(ThreeCones, SortingBeatsReluOfTheSameSize) {
  CriticSettings settings;
  settings.constraints = {"stiefel"};
  settings.activations = {"relu", "groupsort4"};
  settings.hidden = std::vector<int64_t>{32, 32, 32};
  settings.steps = 1000;
  const auto plan =
      PlanOf(ThreeConesExperiment(settings), SettingsOf(Preset::kQuick));
  ASSERT_EQ(plan.size(), 2u);
  const double relu = Execute(plan[0], 1).metrics.at("wasserstein_estimate");
  const RunOutcome sorting = Execute(plan[1], 1);
  EXPECT_LT(relu, 0.7);
  EXPECT_GT(sorting.metrics.at("wasserstein_estimate"), 0.8);
  EXPECT_GT(sorting.metrics.at("gradient_norm_mean"), 0.9);
}

}  // namespace
}  // namespace lipschitz::experiments
