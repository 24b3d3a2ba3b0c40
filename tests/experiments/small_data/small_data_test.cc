// The program as a user meets it, on ten synthetic pictures.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "experiments/common/settings.h"
#include "experiments/small_data/models.h"
#include "gtest/gtest.h"
#include "lipschitz/models/saved_model.h"
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
  return RunSmokeOnMnist("small_data", flags);
}

TEST(SmallData, EveryModelLearnsAndKeepsItsConstant) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 600, 200);
  const ProcessResult run = RunProgram(
      {"--data_dir=" + data, "--results_dir=" + results, "--epochs=60"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  std::set<std::string> models;
  for (const Json& record : ReadRecordFiles(results, "small_data")) {
    SCOPED_TRACE(record["slug"].get<std::string>());
    EXPECT_EQ(record["status"], "ok") << record["message"];
    const Json& variant = record["variant"];
    const std::string constraint = variant["constraint"];
    models.insert(variant["network"].get<std::string>() + "_" + constraint +
                  "_" + variant["activation"].get<std::string>());
    // Ten classes.
    EXPECT_GE(record["metrics"]["test_accuracy"].get<double>(), 0.5);
    EXPECT_GE(record["metrics"]["test_accuracy"].get<double>(),
              record["metrics"]["test_certified_0.5"].get<double>());
    // Every certificate, however small its radius, was attacked.
    EXPECT_GE(record["metrics"]["gate_attacked"].get<double>(),
              200.0 * record["metrics"]["test_certified_0.5"].get<double>());
    EXPECT_GT(record["metrics"]["gate_attacked"].get<double>(), 0.0);
    EXPECT_EQ(record["metrics"]["gate_broken"].get<double>(), 0.0);
    const double bound = record["lipschitz"]["upper_bound"].get<double>();
    if (constraint == "none" || constraint == "dropout") {
      // Nothing holds its weights back.
      EXPECT_GT(bound, 1.1);
    } else if (constraint != "linf") {
      EXPECT_LE(bound, 1.0 + 1e-5);
    }
    if (constraint == "stiefel" || constraint == "orthogonal") {
      EXPECT_GT(record["metrics"]["test_certified_0.5"].get<double>(), 0.0);
    }
  }
  std::set<std::string> expected;
  for (const auto& model :
       experiments::SmallDataModels(experiments::Preset::kSmoke)) {
    expected.insert(model.name);
  }
  EXPECT_EQ(models, expected);
  // Each left a model that the tools take.
  size_t saved = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(results + "/models/small_data")) {
    const auto model = LoadModel(entry.path());
    EXPECT_TRUE(model.ok()) << model.status();
    ++saved;
  }
  EXPECT_EQ(saved, expected.size());
}

TEST(SmallData, ComparesSettingsOnHeldOutImages) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 600, 100);
  const ProcessResult run = RunProgram(
      {"--data_dir=" + data, "--results_dir=" + results, "--held_out=200",
       "--model=mlp_stiefel_maxmin", "--images=50,100"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  int records = 0;
  for (const Json& record : ReadRecordFiles(results, "small_data")) {
    ++records;
    EXPECT_TRUE(record["metrics"].contains("validation_accuracy"));
    EXPECT_FALSE(record["metrics"].contains("test_accuracy"));
    EXPECT_EQ(record["config"]["customised"], true);
  }
  EXPECT_EQ(records, 2);
}

TEST(SmallData, BadFlagsExitWithTwo) {
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  for (const std::string flag :
       {"--model=lenet", "--model=mlp_none_relu,lenet", "--images=15",
        "--images=0", "--images=x", "--images=50,50", "--images=1000",
        "--epochs=-3", "--held_out=-1", "--held_out=50", "--held_out=100"}) {
    const ProcessResult run = RunProgram(
        {flag, "--data_dir=" + data, "--results_dir=" + NewFolder("results")});
    EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
  }
}

}  // namespace
}  // namespace lipschitz
