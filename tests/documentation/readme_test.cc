// What the README shows is what the project has.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/absolute_value/absolute_value.h"
#include "experiments/activation_statistics/activation_statistics.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/function_fitting/function_fitting.h"
#include "experiments/gradient_norm/gradient_norm.h"
#include "experiments/high_dimensional_cone/high_dimensional_cone.h"
#include "experiments/interpretability/interpretability.h"
#include "experiments/mnist_classification/mnist_classification.h"
#include "experiments/mnist_robustness/mnist_robustness.h"
#include "experiments/orthonormal_training/orthonormal_training.h"
#include "experiments/small_data/small_data.h"
#include "experiments/squares/squares.h"
#include "experiments/three_cones/three_cones.h"
#include "experiments/transport_accuracy/transport_accuracy.h"
#include "experiments/wasserstein_estimation/report.h"
#include "experiments/wasserstein_estimation/wasserstein_estimation.h"
#include "experiments/wgan/wgan.h"
#include "gtest/gtest.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::DataFile;

std::string ReadAll(const std::string& path) {
  return testing::ReadText(DataFile(path));
}

TEST(Readme, ShowsTheExampleThatIsBuilt) {
  const std::string code =
      "```cpp\n" + ReadAll("examples/distance.cc") + "```\n";
  EXPECT_NE(ReadAll("README.md").find(code), std::string::npos);
}

TEST(Readme, TheExampleBoundsTheDistanceFromBelow) {
  const auto run = testing::RunProcess({DataFile("examples/distance")});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  double value = 0.0;
  double constant = 0.0;
  ASSERT_EQ(std::sscanf(run.standard_output.c_str(),
                        "W1 >= %lf, proven K = %lf", &value, &constant),
            2)
      << run.standard_output;
  // The clouds are translates of each other by (3, 4).
  EXPECT_GT(value, 4.99);
  EXPECT_LE(value, 5.0 + 1e-5);
  EXPECT_LE(constant, 1.0 + 1e-5);
}

// The commands of the example, with a smaller critic.
TEST(Readme, TheDistanceOfYourOwnSamplesIsFoundAsWritten) {
  const std::string readme = ReadAll("README.md");
  const size_t begin = readme.find("awk -v");
  ASSERT_NE(begin, std::string::npos);
  std::string commands =
      readme.substr(begin, readme.find("```", begin) - begin);
  const std::string bazel = "bazel run //tools:estimate_wasserstein --";
  const size_t place = commands.find(bazel);
  ASSERT_NE(place, std::string::npos) << commands;
  commands.replace(place, bazel.size(),
                   DataFile("tools/estimate_wasserstein/estimate_wasserstein") +
                       " --hidden=16,16 --steps=150");
  const auto run = testing::RunProcess(
      {"/bin/sh", "-ec",
       "cd " + testing::NewFolder("readme") + "\n" + commands});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const std::string label = "| exact W1 of all samples";
  const size_t row = run.standard_output.find(label);
  ASSERT_NE(row, std::string::npos) << run.standard_output;
  const size_t cell = run.standard_output.find(" | ", row) + 3;
  EXPECT_NEAR(std::atof(run.standard_output.c_str() + cell), 5.0, 0.1);
}

// Those of the first seeds; a user may have added others.
std::vector<experiments::Record> CommittedRecords(
    const experiments::Experiment& experiment, experiments::Preset preset,
    uint64_t seeds) {
  std::vector<experiments::Record> records;
  for (const auto& record : experiments::StandardRecords(
           experiments::ReadRecords(DataFile("results"), experiment.name())
               .records,
           preset)) {
    if (record.seed < seeds) records.push_back(record);
  }
  return records;
}

std::string CommittedTable(const experiments::Experiment& experiment,
                           experiments::Preset preset, uint64_t seeds) {
  return experiment.MakeTable(CommittedRecords(experiment, preset, seeds))
      .ToMarkdown();
}

// Rows of the tables in the READMEs, recognised by their first cell, are rows
// of the experiment's table in the quick or the paper preset, or of another
// one.
void ShowsRowsOf(const experiments::Experiment& experiment,
                 const std::vector<std::string>& readmes,
                 const std::vector<std::string>& first_cells,
                 uint64_t seeds = 3, const std::string& other_table = "") {
  const std::string table =
      CommittedTable(experiment, experiments::Preset::kQuick, seeds) +
      CommittedTable(experiment, experiments::Preset::kPaper, seeds) +
      other_table;
  for (const std::string& readme : readmes) {
    std::istringstream lines(ReadAll(readme));
    int rows = 0;
    for (std::string line; std::getline(lines, line);) {
      for (const std::string& cell : first_cells) {
        if (line.rfind("| " + cell + " ", 0) != 0) continue;
        ++rows;
        EXPECT_NE(table.find(line + "\n"), std::string::npos)
            << readme << ": " << line;
      }
    }
    EXPECT_GT(rows, 0) << readme;
  }
}

TEST(Readme, ShowsTheCommittedNumbers) {
  ShowsRowsOf(experiments::AbsoluteValueExperiment(),
              {"README.md", "experiments/absolute_value/README.md"},
              {"bjorck", "stiefel", "polar", "spectral", "linf"});
  ShowsRowsOf(experiments::FunctionFittingExperiment(),
              {"experiments/function_fitting/README.md"},
              {"triangle4", "triangle8", "triangle16", "random8", "sine",
               "distance_l2", "peak_l2", "distance_linf", "peak_linf"});
  ShowsRowsOf(experiments::OrthonormalTrainingExperiment(),
              {"experiments/orthonormal_training/README.md"},
              {"maxmin", "groupsort4", "relu"});
  ShowsRowsOf(experiments::ThreeConesExperiment(),
              {"experiments/three_cones/README.md"},
              {"stiefel", "spectral", "none"});
  ShowsRowsOf(experiments::HighDimensionalConeExperiment(),
              {"experiments/high_dimensional_cone/README.md"},
              {"128", "256", "512"});
  ShowsRowsOf(experiments::SquaresExperiment(),
              {"experiments/squares/README.md"},
              {"stiefel", "polar", "spectral", "none"});
  ShowsRowsOf(experiments::TransportAccuracyExperiment(),
              {"experiments/transport_accuracy/README.md"},
              {"mixtures_2d", "mixtures_16d", "mnist_halves"});
  ShowsRowsOf(experiments::MnistClassificationExperiment(),
              {"experiments/mnist_classification/README.md"}, {"mnist"});
  ShowsRowsOf(experiments::MnistRobustnessExperiment(),
              {"experiments/mnist_robustness/README.md"},
              {"mnist", "fashion_mnist"});
  ShowsRowsOf(experiments::SmallDataExperiment(),
              {"experiments/small_data/README.md"}, {"mnist", "fashion_mnist"},
              /*seeds=*/5);
  ShowsRowsOf(experiments::GradientNormExperiment(),
              {"experiments/gradient_norm/README.md"}, {"critic", "mnist"});
  ShowsRowsOf(experiments::ActivationStatisticsExperiment(),
              {"experiments/activation_statistics/README.md"}, {"mnist"});
  ShowsRowsOf(experiments::InterpretabilityExperiment(),
              {"experiments/interpretability/README.md"}, {"mnist"});
  ShowsRowsOf(experiments::WganExperiment(), {"experiments/wgan/README.md"},
              {"mnist", "fashion_mnist", "cifar10"});
  const experiments::WassersteinEstimationExperiment estimation;
  ShowsRowsOf(estimation, {"experiments/wasserstein_estimation/README.md"},
              {"mnist", "fashion_mnist"}, /*seeds=*/3,
              experiments::OrderingTable(
                  CommittedRecords(estimation, experiments::Preset::kQuick, 3))
                  .ToMarkdown());
}

}  // namespace
}  // namespace lipschitz
