// The program as a user meets it, on ten synthetic pictures.
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
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
using testing::ReadRecordFiles;
using testing::RunSmokeOnMnist;
using testing::SyntheticMnist;
using Json = nlohmann::ordered_json;

ProcessResult RunProgram(const std::vector<std::string>& flags) {
  return RunSmokeOnMnist("gradient_norm", flags);
}

double Sum(const Json& values) {
  double sum = 0.0;
  for (const Json& value : values) sum += value.get<double>();
  return sum;
}

// From the one at `first` to the output.
void ExpectAllOnes(const Json& norms, size_t first) {
  for (const char* statistic : {"mean", "min", "max"}) {
    const Json& values = norms.at(statistic);
    for (size_t i = first; i < values.size(); ++i) {
      EXPECT_NEAR(values[i].get<double>(), 1.0, 1e-4)
          << statistic << " at " << norms.at("layer")[i];
    }
  }
}

TEST(GradientNorm, WhatKeepsTheNormKeepsItAtEveryDepthAndReluDoesNot) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 500, 100);
  const ProcessResult run =
      RunProgram({"--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  int records = 0;
  // By task and depth, at the start.
  std::map<std::pair<std::string, int64_t>, double> relu;
  for (const Json& record : ReadRecordFiles(results, "gradient_norm")) {
    SCOPED_TRACE(record["slug"].get<std::string>());
    ++records;
    EXPECT_EQ(record["status"], "ok") << record["message"];
    const std::string task = record["variant"]["task"];
    const bool is_critic = task == "critic";
    const int64_t depth = record["variant"]["hidden_layers"];
    const Json& metrics = record["metrics"];
    const auto metric = [&](const char* name) {
      return metrics.at(name).get<double>();
    };
    // The input, and for every linear layer and activation one.
    const Json& initial = record["curves"]["gradient_norm_initial"];
    const Json& trained = record["curves"]["gradient_norm_trained"];
    ASSERT_EQ(initial["mean"].size(), static_cast<size_t>(2 * depth + 2));
    EXPECT_EQ(initial["layer"][0], "input");
    for (const char* when : {"jacobian_initial", "jacobian_trained"}) {
      EXPECT_NEAR(Sum(record["curves"][when]["share"]), 1.0, 1e-9);
    }
    EXPECT_GT(metric("tightness"), 0.0);
    EXPECT_LE(metric("tightness"), 1.0 + 1e-9);
    EXPECT_LE(record["lipschitz"]["lower_bound"].get<double>(),
              record["lipschitz"]["upper_bound"].get<double>() * (1 + 1e-9));
    if (record["variant"]["activation"] == "relu") {
      EXPECT_EQ(metric("keeping_layers"), 1);
      // Where every norm is kept, training need not even change a last digit.
      EXPECT_NE(initial["mean"], trained["mean"]);
      relu[{task, depth}] = metric("hidden_gradient_initial");
      continue;
    }
    // The critic's first layer widens 4 inputs to 16.
    EXPECT_EQ(metric("keeping_layers"), 2 * depth + (is_critic ? 0 : 1));
    ExpectAllOnes(initial, is_critic ? 1 : 0);
    ExpectAllOnes(trained, is_critic ? 1 : 0);
    EXPECT_LE(metric("keeping_deviation_initial"), 1e-4);
    EXPECT_LE(metric("keeping_deviation_trained"), 1e-4);
    // In float32: not zero, and within the same allowance.
    for (const char* when : {"initial", "trained"}) {
      const double own =
          metric((std::string("keeping_deviation_own_") + when).c_str());
      EXPECT_GT(own, 1e-9);
      EXPECT_LE(own, 1e-4);
    }
    if (is_critic) {
      EXPECT_NEAR(metric("input_gradient_expected"), 0.5, 1e-12);
      EXPECT_NEAR(metric("input_gradient_initial"), 0.5, 0.3);
      // So few steps train no deeper network.
      if (depth == 3) {
        EXPECT_GT(metric("input_gradient_trained"),
                  metric("input_gradient_initial") + 0.05);
      }
    } else {
      EXPECT_EQ(metric("input_gradient_expected"), 1.0);
      EXPECT_NEAR(metric("sigma_min_initial"), 1.0, 1e-4);
      EXPECT_NEAR(metric("sigma_min_trained"), 1.0, 1e-4);
      EXPECT_NEAR(metric("tightness"), 1.0, 1e-4);
    }
  }
  EXPECT_EQ(records, 2 * 2 * 5);
  // Each layer takes about half of the square.
  ASSERT_EQ(relu.size(), 4u);
  for (const std::string task : {"critic", "classifier"}) {
    const double shallow = relu[{task, 3}];
    const double deep = relu[{task, 15}];
    EXPECT_LT(shallow, 0.7) << task;
    EXPECT_LT(deep, 0.1 * shallow) << task;
  }
  for (const std::string file :
       {"tables/gradient_norm_smoke.md", "tables/gradient_norm_smoke.csv",
        "figures/gradient_norm_smoke_stiefel_critic_layers.png",
        "figures/gradient_norm_smoke_stiefel_critic_jacobian.svg",
        "figures/gradient_norm_smoke_stiefel_mnist_layers.svg",
        "figures/gradient_norm_smoke_stiefel_mnist_jacobian.png"}) {
    EXPECT_TRUE(std::filesystem::exists(results + "/" + file)) << file;
  }
}

TEST(GradientNorm, RunsWhatIsAskedForAndKeepsItApart) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  const ProcessResult run =
      RunProgram({"--data_dir=" + data, "--results_dir=" + results,
                  "--task=critic", "--activation=maxmin", "--depths=2",
                  "--width=8", "--constraint=bjorck"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  int records = 0;
  for (const Json& record : ReadRecordFiles(results, "gradient_norm")) {
    ++records;
    EXPECT_EQ(record["config"]["hidden"], Json({8, 8}));
    EXPECT_EQ(record["config"]["constraint"], "bjorck");
    EXPECT_EQ(record["config"]["customised"], true);
  }
  EXPECT_EQ(records, 1);
}

TEST(GradientNorm, BadFlagsExitWithTwo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  for (const std::string flag :
       {"--task=gan", "--activation=tanh", "--constraint=linf", "--depths=0",
        "--depths=two", "--width=-1", "--width=6"}) {
    const ProcessResult run = RunProgram(
        {flag, "--data_dir=" + data, "--results_dir=" + NewFolder("results")});
    EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
  }
}

}  // namespace
}  // namespace lipschitz
