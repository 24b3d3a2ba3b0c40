#include "experiments/high_dimensional_cone/high_dimensional_cone.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/runs.h"

namespace lipschitz::experiments {
namespace {

using testing::Execute;
using testing::PlanOf;

TEST(HighDimensionalCone, NoVariantExceedsTheExactDistance) {
  for (const auto& run :
       PlanOf(HighDimensionalConeExperiment(), SettingsOf(Preset::kSmoke))) {
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << run.label << outcome.verdict;
    EXPECT_LE(outcome.metrics.at("wasserstein_estimate"), 1.0 + 1e-6)
        << run.label;
  }
}

TEST(HighDimensionalCone, FullSortFindsTheCone) {
  CriticSettings settings;
  settings.constraints = {"stiefel"};
  settings.activations = {"relu", "fullsort"};
  settings.hidden = std::vector<int64_t>{64, 64};
  settings.steps = 500;
  const auto plan = PlanOf(HighDimensionalConeExperiment(settings),
                           SettingsOf(Preset::kSmoke));
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_LT(Execute(plan[0], 2).metrics.at("wasserstein_estimate"), 0.8);
  EXPECT_GT(Execute(plan[1], 2).metrics.at("wasserstein_estimate"), 0.97);
}

// A layer of fewer neurons than inputs would hide part of the sphere.
TEST(HighDimensionalCone, NoFirstLayerIsNarrowerThanItsInput) {
  for (const Preset preset : {Preset::kSmoke, Preset::kQuick, Preset::kPaper}) {
    for (const auto& run :
         PlanOf(HighDimensionalConeExperiment(), SettingsOf(preset))) {
      EXPECT_GE(std::stoi(run.config.at("hidden").get<std::string>()),
                run.config.at("dimension").get<int>())
          << run.label;
    }
  }
}

}  // namespace
}  // namespace lipschitz::experiments
