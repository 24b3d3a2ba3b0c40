// The program as a user meets it, on ten synthetic pictures.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/digits.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::DataFile;
using testing::NewFolder;
using testing::ProcessResult;
using testing::RunProcess;
using testing::SyntheticMnist;
using Json = nlohmann::ordered_json;

ProcessResult RunProgram(std::vector<std::string> flags) {
  flags.insert(
      flags.begin(),
      {DataFile("experiments/mnist_robustness/mnist_robustness"),
       "--device=cpu", "--threads=1", "--preset=smoke", "--dataset=mnist"});
  return RunProcess(flags);
}

std::string ReadAll(const std::string& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(MnistRobustness, CertifiesAndAttacksInBothNorms) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 3000, 300);
  const ProcessResult run = RunProgram(
      {"--model=stiefel_maxmin,stiefel_maxmin_hinge,"
       "linf_rows_groupsort4,none_relu_pgd",
       "--epochs=3", "--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  int records = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           results + "/records/mnist_robustness")) {
    ++records;
    const Json record = Json::parse(ReadAll(entry.path()), nullptr, false);
    ASSERT_TRUE(record.is_object()) << entry.path();
    SCOPED_TRACE(entry.path().filename().string());
    EXPECT_EQ(record["status"], "ok") << record["message"];
    EXPECT_EQ(record["dataset"], "mnist");
    const Json& metrics = record["metrics"];
    EXPECT_EQ(metrics["gate_broken"], 0.0);
    // Training on attacked images needs more steps than these.
    const bool attacked = record["variant"]["training"] == "pgd";
    EXPECT_GE(metrics["test_accuracy"].get<double>(), attacked ? 0.3 : 0.9);
    if (!attacked) {
      EXPECT_LE(record["lipschitz"]["upper_bound"].get<double>(), 1.0 + 1e-5);
      EXPECT_GT(metrics["mean_radius"].get<double>(), 0.02);
    }
    // Another process can use the model.
    std::string model = entry.path().stem().string();
    EXPECT_TRUE(std::filesystem::exists(results + "/models/mnist_robustness/" +
                                        model + ".lip"));
  }
  // PGD training in each norm.
  EXPECT_EQ(records, 5);
}

TEST(MnistRobustness, HeldOutImagesAreReportedOnAndTheTestSetIsLeftAlone) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 600, 100);
  const ProcessResult run =
      RunProgram({"--model=stiefel_maxmin", "--norm=l2", "--held_out=100",
                  "--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  for (const auto& entry : std::filesystem::directory_iterator(
           results + "/records/mnist_robustness")) {
    const Json record = Json::parse(ReadAll(entry.path()), nullptr, false);
    EXPECT_TRUE(record["metrics"].contains("validation_accuracy"));
    EXPECT_TRUE(record["metrics"].contains("validation_certified_1.58"));
    EXPECT_FALSE(record["metrics"].contains("test_accuracy"));
    EXPECT_TRUE(record["config"]["customised"].get<bool>());
  }
}

TEST(MnistRobustness, BadFlagsAndMissingDataExitWithTwo) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 100, 20);
  for (const std::string flag :
       {"--norm=l7", "--norm=l1", "--model=nothing",
        "--model=stiefel_maxmin,nothing", "--hidden=3,x", "--epochs=-1",
        "--held_out=100000", "--shift=28", "--shift=-1"}) {
    const ProcessResult run =
        RunProgram({flag, "--data_dir=" + data, "--results_dir=" + results});
    // What only the images tell.
    if (flag == "--held_out=100000" || flag == "--shift=28") {
      EXPECT_NE(run.exit_status, 0) << flag;
    } else {
      EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
    }
  }
  const ProcessResult missing =
      RunProgram({"--dataset=cifar10", "--data_dir=" + NewFolder("nothing"),
                  "--results_dir=" + results});
  EXPECT_EQ(missing.exit_status, 2);
  EXPECT_NE(missing.standard_error.find("fetch_data.sh"), std::string::npos)
      << missing.standard_error;
}

}  // namespace
}  // namespace lipschitz
