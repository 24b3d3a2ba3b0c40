// The program as a user meets it, on ten synthetic pictures.
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/digits.h"
#include "tests/testing/experiment_program.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::NewFolder;
using testing::ProcessResult;
using testing::ReadJson;
using testing::ReadRecordFiles;
using testing::ReadText;
using testing::RunSmokeOnMnist;
using testing::SyntheticMnist;
using Json = nlohmann::ordered_json;

ProcessResult RunProgram(const std::vector<std::string>& flags) {
  return RunSmokeOnMnist("mnist_classification", flags);
}

TEST(MnistClassification, LearnsUnderEveryConstraint) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 4000, 300);
  const ProcessResult run =
      RunProgram({"--activation=maxmin,relu", "--data_dir=" + data,
                  "--epochs=3", "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  std::set<std::string> constraints;
  for (const Json& record : ReadRecordFiles(results, "mnist_classification")) {
    SCOPED_TRACE(record["slug"].get<std::string>());
    EXPECT_EQ(record["status"], "ok") << record["message"];
    const std::string constraint = record["variant"]["constraint"];
    constraints.insert(constraint);
    EXPECT_GE(record["metrics"]["test_accuracy"].get<double>(), 0.8);
    const double bound = record["lipschitz"]["upper_bound"].get<double>();
    if (constraint == "stiefel" || constraint == "spectral" ||
        constraint == "linf_rows") {
      EXPECT_LE(bound, 1.0 + 1e-5);
    }
    EXPECT_GT(bound, 0.0);
  }
  EXPECT_EQ(constraints,
            (std::set<std::string>{"none", "dropout", "jacobian", "stiefel",
                                   "spectral", "parseval", "linf_rows"}));
}

TEST(MnistClassification, TheSameSeedGivesTheSameMetrics) {
  const std::string data = SyntheticMnist(NewFolder("data"), 500, 100);
  std::vector<Json> metrics;
  for (int i = 0; i < 2; ++i) {
    const std::string results = NewFolder("results");
    const ProcessResult run =
        RunProgram({"--activation=maxmin", "--constraint=dropout",
                    "--data_dir=" + data, "--results_dir=" + results});
    ASSERT_EQ(run.exit_status, 0) << run.standard_error;
    metrics.push_back(
        ReadJson(results + "/records/mnist_classification/"
                           "mnist-dropout-maxmin-smoke-s0.json")["metrics"]);
  }
  EXPECT_TRUE(metrics[0].is_object());
  EXPECT_EQ(metrics[0], metrics[1]);
}

// The library has more constraints and activations than the grid.
TEST(MnistClassification, WhatIsNotInTheGridHasARowToo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 300, 50);
  const std::string results = NewFolder("results");
  const ProcessResult run =
      RunProgram({"--activation=abs,relu", "--constraint=bjorck",
                  "--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  for (const std::string& text :
       {run.standard_output,
        ReadText(results + "/tables/mnist_classification_smoke.md")}) {
    EXPECT_NE(text.find("| bjorck     | abs "), std::string::npos) << text;
    EXPECT_NE(text.find("| bjorck     | relu "), std::string::npos) << text;
  }
}

// And says there what it found.
TEST(MnistClassification, HeldOutImagesAreReportedOnAndTheTestSetIsLeftAlone) {
  const std::string data = SyntheticMnist(NewFolder("data"), 300, 50);
  const std::string results = NewFolder("results");
  const ProcessResult run =
      RunProgram({"--activation=relu", "--constraint=none", "--held_out=100",
                  "--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_NE(run.standard_error.find("validation_accuracy 0."),
            std::string::npos)
      << run.standard_error;
  for (const Json& record : ReadRecordFiles(results, "mnist_classification")) {
    EXPECT_TRUE(record["metrics"].contains("validation_accuracy"));
    EXPECT_FALSE(record["metrics"].contains("test_accuracy"));
    EXPECT_FALSE(record["metrics"].contains("test_accuracy_as_trained"));
  }
}

TEST(MnistClassification, BadFlagsExitWithTwo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  for (const std::string flag :
       {"--constraint=rope", "--activation=relu,tanh", "--epochs=-3",
        "--temperature=-1", "--activation=relu,relu", "--constraint="}) {
    const ProcessResult run = RunProgram(
        {flag, "--data_dir=" + data, "--results_dir=" + NewFolder("results")});
    EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
  }
}

}  // namespace
}  // namespace lipschitz
