#include "experiments/transport_accuracy/transport_accuracy.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/digits.h"
#include "tests/testing/runs.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using testing::Execute;
using testing::FailsWith;
using testing::NewFolder;
using testing::PlanOf;
using testing::SyntheticMnist;

CommonSettings SettingsWithImages(int64_t train) {
  CommonSettings settings = SettingsOf(Preset::kSmoke);
  settings.dataset = "mnist";
  settings.data_dir = SyntheticMnist(NewFolder("data"), train, 10);
  return settings;
}

TEST(TransportAccuracy, NoCriticExceedsTheExactDistanceOfItsSamples) {
  const auto plan =
      PlanOf(TransportAccuracyExperiment(), SettingsWithImages(200));
  EXPECT_EQ(plan.size(), 18u);
  for (const auto& run : plan) {
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << run.label << outcome.verdict;
    const double exact = outcome.metrics.at("wasserstein_exact");
    EXPECT_GT(exact, 0.1) << run.label;
    EXPECT_LE(outcome.metrics.at("wasserstein_estimate"), exact * (1 + 1e-6))
        << run.label;
    const double share = outcome.metrics.at("estimate_over_exact");
    EXPECT_GT(share, 0.01) << run.label;
    const double transformed = outcome.metrics.at("c_transform_over_exact");
    EXPECT_LE(transformed, 1 + 1e-8) << run.label;
    EXPECT_GE(transformed, share - 1e-6) << run.label;
    const double of_zero = outcome.metrics.at("c_transform_of_zero_over_exact");
    EXPECT_GT(of_zero, 0.1) << run.label;
    EXPECT_LE(of_zero, 1 + 1e-8) << run.label;
  }
}

TEST(TransportAccuracy, SamplesFollowTheSeed) {
  CriticSettings settings;
  settings.activations = {"maxmin"};
  settings.steps = 1;
  const auto plan =
      PlanOf(TransportAccuracyExperiment(settings), SettingsWithImages(200));
  for (const auto& run : plan) {
    const auto exact = [&](uint64_t seed) {
      return Execute(run, seed).metrics.at("wasserstein_exact");
    };
    EXPECT_EQ(exact(1), exact(1)) << run.label;
    EXPECT_NE(exact(1), exact(2)) << run.label;
  }
}

TEST(TransportAccuracy, ProblemsAreChosenByTheirSamples) {
  CriticSettings settings;
  settings.problems = {"mixtures_16d"};
  const auto plan =
      PlanOf(TransportAccuracyExperiment(settings), SettingsWithImages(200));
  EXPECT_EQ(plan.size(), 6u);
  for (const auto& run : plan) {
    EXPECT_EQ(run.variant.at("samples"), "mixtures_16d") << run.label;
  }
  settings.problems = {"mixtures_3d"};
  EXPECT_TRUE(FailsWith(
      TransportAccuracyExperiment(settings).Plan(SettingsWithImages(200)),
      absl::StatusCode::kInvalidArgument,
      {"--problem", "'mixtures_3d'", "mixtures_2d"}));
}

TEST(TransportAccuracy, TooFewImagesAreAnError) {
  CriticSettings settings;
  settings.activations = {"maxmin"};
  const auto plan =
      PlanOf(TransportAccuracyExperiment(settings), SettingsWithImages(20));
  ASSERT_EQ(plan.size(), 3u);
  RunContext context;
  EXPECT_TRUE(FailsWith(plan[2].execute(context),
                        absl::StatusCode::kInvalidArgument,
                        {"32", "classes 0 to 4", "10"}));
}

}  // namespace
}  // namespace lipschitz::experiments
