#include "experiments/wasserstein_estimation/wasserstein_estimation.h"

#include <torch/types.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "lipschitz/models/generator.h"
#include "tests/testing/digits.h"
#include "tests/testing/experiment_program.h"
#include "tests/testing/files.h"
#include "tests/testing/runs.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using testing::Execute;
using testing::NewFolder;
using testing::PlanOf;
using testing::ProcessResult;
using testing::RunExperimentProgram;
using testing::SyntheticMnist;

// The real images are as far on either side of grey, where the generated ones
// are: the best critic is a distance, which ReLU does not have.
TEST(WassersteinEstimation, BoundsHoldAndSortingBeatsRelu) {
  const auto plan =
      PlanOf(WassersteinEstimationExperiment(), SettingsOf(Preset::kSmoke));
  std::map<std::string, double> estimates;
  int free_critics = 0;
  for (const auto& run : plan) {
    SCOPED_TRACE(run.label);
    const RunOutcome outcome = Execute(run, 0);
    EXPECT_TRUE(outcome.verdict.ok()) << outcome.verdict;
    const Metrics& metrics = outcome.metrics;
    ASSERT_TRUE(outcome.lipschitz.has_value());
    const double bound = outcome.lipschitz->upper_bound;
    EXPECT_LE(outcome.lipschitz->lower_bound, bound * (1 + 1e-6));
    EXPECT_GT(outcome.lipschitz->lower_bound, 0.0);
    EXPECT_LE(metrics.at("estimate_over_exact"), 1.0 + 1e-6);
    EXPECT_NEAR(metrics.at("mean_difference"),
                metrics.at("wasserstein_estimate") * bound, 1e-9);
    const std::string constraint = run.variant.at("constraint");
    if (constraint == "gradient_penalty" || constraint == "clipping") {
      ++free_critics;
      continue;
    }
    EXPECT_NEAR(bound, 1.0, 1e-5);
    if (run.variant.at("samples") == "held_out") {
      EXPECT_LT(metrics.at("interval_lower"),
                metrics.at("wasserstein_estimate"));
      EXPECT_GT(metrics.at("interval_upper"),
                metrics.at("wasserstein_estimate"));
      if (constraint == "stiefel") {
        estimates[run.variant.at("activation")] =
            metrics.at("wasserstein_estimate");
      }
    } else {
      // Of the very images, as their exact distance is.
      EXPECT_DOUBLE_EQ(
          metrics.at("estimate_over_exact"),
          metrics.at("wasserstein_estimate") / metrics.at("wasserstein_exact"));
    }
  }
  EXPECT_EQ(free_critics, 2);
  ASSERT_EQ(estimates.size(), 7u);
  for (const char* sorting :
       {"maxmin", "groupsort4", "groupsort9", "fullsort"}) {
    EXPECT_GT(estimates.at(sorting), 1.2 * estimates.at("relu")) << sorting;
  }
}

ProcessResult RunProgram(const std::vector<std::string>& flags,
                         const testing::ProcessOptions& options = {}) {
  return RunExperimentProgram("wasserstein_estimation", flags, options);
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string SavedGenerator(int64_t size) {
  GeneratorConfig config;
  config.channels = 1;
  config.height = config.width = size;
  config.hidden = 8;
  config.wide_channels = 4;
  config.narrow_channels = 2;
  torch::manual_seed(0);
  Generator generator(config);
  const std::string path = NewFolder("generator") + "/mine.lip";
  const auto saved = SaveGenerator(path, config, generator, {});
  EXPECT_TRUE(saved.ok()) << saved;
  return path;
}

TEST(WassersteinEstimationProgram, NeedsNoFilesForASmokeTestAndSaysSo) {
  const std::string results = NewFolder("results");
  const ProcessResult run =
      RunProgram({"--preset=smoke", "--activation=maxmin", "--steps=5",
                  "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "untrained"));
  EXPECT_TRUE(Contains(run.standard_error, "synthetic"));
  EXPECT_TRUE(Contains(run.standard_output, "untrained"));
  // And where every record is kept, once.
  const std::string again =
      RunProgram({"--preset=smoke", "--activation=maxmin", "--steps=5",
                  "--results_dir=" + results})
          .standard_error;
  EXPECT_TRUE(Contains(again, "kept")) << again;
  const size_t note = again.find("the real images are synthetic");
  EXPECT_NE(note, std::string::npos) << again;
  EXPECT_EQ(again.find("the real images are synthetic", note + 1),
            std::string::npos)
      << again;
}

TEST(WassersteinEstimationProgram, WritesTablesAndAFigure) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 200, 60);
  const ProcessResult run =
      RunProgram({"--preset=smoke", "--dataset=mnist", "--data_dir=" + data,
                  "--samples=held_out", "--network=dense",
                  "--constraint=stiefel", "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  for (const std::string file :
       {"tables/wasserstein_estimation_smoke.md",
        "tables/wasserstein_estimation_smoke_ordering.md",
        "figures/wasserstein_estimation_smoke.png"}) {
    EXPECT_TRUE(std::filesystem::exists(results + "/" + file)) << file;
  }
}

TEST(WassersteinEstimationProgram, TakesAGeneratorOfOnesOwn) {
  const std::string results = NewFolder("results");
  const ProcessResult run = RunProgram(
      {"--preset=smoke", "--activation=maxmin", "--constraint=stiefel",
       "--samples=held_out", "--steps=5", "--generator=" + SavedGenerator(16),
       "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_output, "mine")) << run.standard_output;
  EXPECT_FALSE(Contains(run.standard_error, "untrained"));
}

// Free critics train in a loop of their own.
TEST(WassersteinEstimationProgram, KilledAndResumedEndsWithTheSameRecord) {
  const auto flags = [](const std::string& results) {
    return std::vector<std::string>{
        "--preset=smoke", "--constraint=gradient_penalty,clipping",
        "--steps=400", "--checkpoint_steps=10", "--results_dir=" + results};
  };
  // Without what two runs of one seed need not share.
  const auto records = [](const std::string& results) {
    std::map<std::string, std::string> of;
    for (auto record :
         testing::ReadRecordFiles(results, "wasserstein_estimation")) {
      for (const char* own :
           {"wall_seconds", "run_seconds", "peak_memory_mib", "environment"}) {
        record.erase(own);
      }
      of[record["slug"].get<std::string>()] = record.dump();
    }
    return of;
  };
  const std::string undisturbed = NewFolder("results");
  ASSERT_EQ(RunProgram(flags(undisturbed)).exit_status, 0);
  ASSERT_EQ(records(undisturbed).size(), 2u);
  for (const auto& [slug, record] : records(undisturbed)) {
    SCOPED_TRACE(slug);
    const std::string results = NewFolder("results");
    testing::ProcessOptions options;
    options.kill_when_exists = results +
                               "/checkpoints/wasserstein_estimation/" + slug +
                               "-s0.checkpoint";
    EXPECT_EQ(RunProgram(flags(results), options).signal, SIGKILL);
    const ProcessResult second = RunProgram(flags(results));
    ASSERT_EQ(second.exit_status, 0) << second.standard_error;
    EXPECT_TRUE(Contains(second.standard_error, "resumed from step"));
    EXPECT_EQ(records(results), records(undisturbed));
  }
}

TEST(WassersteinEstimationPlan, RunsWhatIsOnRequestWhereItIsNamed) {
  CommonSettings common = SettingsOf(Preset::kQuick);
  common.dataset = "mnist";
  common.data_dir = SyntheticMnist(NewFolder("data"), 1200, 1000);
  WassersteinEstimationSettings settings;
  settings.generator = SavedGenerator(28);
  settings.activations = {"maxmin"};
  const auto labels = [&] {
    std::vector<std::string> all;
    for (const auto& run :
         PlanOf(WassersteinEstimationExperiment(settings), common)) {
      all.push_back(run.label);
    }
    return absl::StrJoin(all, " ");
  };
  EXPECT_EQ(labels(),
            "mnist-mine-dense-stiefel-maxmin-3 "
            "mnist-mine-dense-spectral-maxmin-3");
  settings.depths = {7};
  EXPECT_EQ(labels(),
            "mnist-mine-dense-stiefel-maxmin-7 "
            "mnist-mine-dense-spectral-maxmin-7");
  settings.networks = {"convolutional"};
  settings.constraints = {"orthogonal"};
  EXPECT_EQ(labels(), "mnist-mine-convolutional-orthogonal-maxmin-7");
  settings.depths = {};
  EXPECT_EQ(labels(),
            "mnist-mine-convolutional-orthogonal-maxmin-3 "
            "mnist-mine-convolutional-orthogonal-maxmin-5 "
            "mnist-mine-convolutional-orthogonal-maxmin-7");
}

TEST(WassersteinEstimationProgram, BadInputExitsWith2AndIsNamed) {
  const std::string data = SyntheticMnist(NewFolder("data"), 1200, 1000);
  struct Case {
    std::vector<std::string> flags;
    std::vector<std::string> messages;
  };
  const std::string other = SavedGenerator(16);
  const std::string mnist = "--dataset=mnist";
  const std::vector<Case> cases = {
      {{"--generator=" + other}, {other, "1×16×16", "1×28×28", "mnist"}},
      {{"--generator=/no/such.lip"}, {"/no/such.lip"}},
      {{"--kind=wgan"}, {"results/generators/mnist-wgan.lip", "--generator"}},
      {{"--kind=real"}, {"real", "wgan_gp"}},
      {{"--kind=wgan,wgan"}, {"wgan", "twice"}},
      {{"--kind=wgan", "--generator=" + SavedGenerator(28)},
       {"--kind", "--generator"}},
      {{"--activation=tanh"}, {"tanh", "maxmin"}},
      {{"--constraint=parseval"}, {"parseval", "stiefel"}},
      {{"--network=recurrent"}, {"recurrent", "dense"}},
      {{"--samples=some"}, {"some", "same_samples"}},
      {{"--depth=4"}, {"4"}},
      {{"--generator=" + SavedGenerator(28), "--width=50",
        "--activation=groupsort4"},
       {"50", "4"}},
      {{"--generator=" + SavedGenerator(28), "--steps=-1"}, {"-1"}},
  };
  for (const Case& bad : cases) {
    std::vector<std::string> flags = {"--preset=quick", mnist,
                                      "--data_dir=" + data,
                                      "--results_dir=" + NewFolder("results")};
    flags.insert(flags.end(), bad.flags.begin(), bad.flags.end());
    // A workspace without generators.
    testing::ProcessOptions options;
    options.environment = {
        {"BUILD_WORKSPACE_DIRECTORY", NewFolder("workspace")}};
    const ProcessResult run = RunProgram(flags, options);
    EXPECT_EQ(run.exit_status, 2) << bad.flags[0] << run.standard_error;
    for (const std::string& message : bad.messages) {
      EXPECT_TRUE(Contains(run.standard_error, message))
          << bad.flags[0] << ": " << run.standard_error;
    }
  }
}

}  // namespace
}  // namespace lipschitz::experiments
