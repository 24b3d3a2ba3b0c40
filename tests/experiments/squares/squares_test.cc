#include "experiments/squares/squares.h"

#include "gtest/gtest.h"
#include "tests/testing/runs.h"

namespace lipschitz::experiments {
namespace {

using testing::Execute;
using testing::PlanOf;

// deel-torchlip's notebook reaches 34.995 after 160 steps.
TEST(Squares, OrthonormalCriticsFindTheDistanceInAtMost160Steps) {
  CriticSettings settings;
  settings.activations = {"fullsort"};
  settings.constraints = {"stiefel", "polar"};
  const auto plan =
      PlanOf(SquaresExperiment(settings), SettingsOf(Preset::kQuick));
  ASSERT_EQ(plan.size(), 2u);
  for (const auto& run : plan) {
    EXPECT_LE(run.config.at("steps").get<int>(), 160);
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << outcome.verdict;
    EXPECT_GE(outcome.metrics.at("wasserstein_estimate"), 34.99) << run.label;
    EXPECT_LE(outcome.metrics.at("wasserstein_estimate"), 35.0 * (1 + 1e-6))
        << run.label;
  }
}

}  // namespace
}  // namespace lipschitz::experiments
