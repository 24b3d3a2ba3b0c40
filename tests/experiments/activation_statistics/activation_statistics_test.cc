// The program as a user meets it, on ten synthetic pictures.
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
  return RunSmokeOnMnist("activation_statistics", flags);
}

// Shares that fall from 1 as the threshold grows.
void ExpectFalling(const Json& rates) {
  EXPECT_EQ(rates[0].get<double>(), 1.0);
  for (size_t i = 1; i < rates.size(); ++i) {
    EXPECT_LE(rates[i].get<double>(), rates[i - 1].get<double>());
  }
}

TEST(ActivationStatistics, CountsUnitsAtTheStartWhileTrainingAndAfterwards) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 500, 100);
  const ProcessResult run =
      RunProgram({"--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  std::map<std::pair<std::string, std::string>, Json> records;
  for (const Json& record : ReadRecordFiles(results, "activation_statistics")) {
    SCOPED_TRACE(record["slug"].get<std::string>());
    EXPECT_EQ(record["status"], "ok") << record["message"];
    const std::string activation = record["variant"]["activation"];
    const std::string constant = record["variant"]["lipschitz_constant"];
    records[{activation, constant}] = record;
    const Json& metrics = record["metrics"];
    const auto metric = [&](const std::string& name) {
      return metrics.at(name).get<double>();
    };
    if (constant != "free") {
      const double k = std::stod(constant);
      EXPECT_NEAR(record["lipschitz"]["upper_bound"].get<double>(), k,
                  1e-4 * k);
      // The label's logit alone.
      EXPECT_LE(metric("input_gradient_over_k"), 1.0 + 1e-4);
    }
    EXPECT_GT(metric("input_gradient_over_k"), 0.0);
    for (const std::string when : {"initial", "trained"}) {
      const Json& rates = record["curves"]["rates_" + when];
      ASSERT_EQ(rates["undead"].size(), 2u);
      double undead = 0.0;
      double fixed = 0.0;
      for (size_t layer = 0; layer < 2; ++layer) {
        ExpectFalling(rates["undead"][layer]);
        ExpectFalling(rates["fixed"][layer]);
        // At 0.95.
        undead += rates["undead"][layer][19].get<double>() / 2;
        fixed += rates["fixed"][layer][19].get<double>() / 2;
      }
      EXPECT_NEAR(metric("undead_rate_" + when), undead, 1e-9);
      EXPECT_NEAR(metric("fixed_rate_" + when), fixed, 1e-9);
      if (activation == "relu") {
        EXPECT_NEAR(fixed,
                    metric("undead_rate_" + when) + metric("dead_rate_" + when),
                    1e-9);
      }
      EXPECT_GE(metric("jacobian_variation_" + when), -1e-9);
      EXPECT_LT(metric("jacobian_variation_" + when), 1.0);
    }
    EXPECT_EQ(metrics.contains("first_share_trained"), activation == "maxmin");
    // Once per epoch; the last one is the trained network.
    ASSERT_EQ(record["history"].size(), 3u);
    EXPECT_NEAR(record["history"][2]["undead_rate"].get<double>(),
                metric("undead_rate_trained"), 0.02);
    EXPECT_NE(record["curves"]["rates_initial"],
              record["curves"]["rates_trained"]);
  }
  ASSERT_EQ(records.size(), 2u * 3u);
  // The first layer's signs do not depend on K at the start: weights and biases
  // are scaled alike.
  for (const std::string activation : {"relu", "maxmin"}) {
    const auto first = [&](const char* constant) {
      return records[{activation, constant}]["curves"]["rates_initial"]
                    ["undead"][0];
    };
    EXPECT_EQ(first("0.1"), first("100"));
  }
  for (const std::string file :
       {"tables/activation_statistics_smoke.md",
        "figures/activation_statistics_smoke_mnist.png",
        "figures/activation_statistics_smoke_mnist.svg"}) {
    EXPECT_TRUE(std::filesystem::exists(results + "/" + file)) << file;
  }
}

TEST(ActivationStatistics, BadFlagsExitWithTwo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  for (const std::string flag :
       {"--activation=abs", "--constant=3", "--constant=one", "--epochs=-1",
        "--learning_rate=-1"}) {
    const ProcessResult run = RunProgram(
        {flag, "--data_dir=" + data, "--results_dir=" + NewFolder("results")});
    EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
  }
}

}  // namespace
}  // namespace lipschitz
