// The program as a user meets it, on ten synthetic pictures.
#include <filesystem>
#include <nlohmann/json.hpp>
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
using testing::ReadRecordFiles;
using testing::RunSmokeOnMnist;
using testing::SyntheticMnist;
using Json = nlohmann::ordered_json;

ProcessResult RunProgram(const std::vector<std::string>& flags) {
  return RunSmokeOnMnist("mnist_robustness", flags);
}

TEST(MnistRobustness, CertifiesAndAttacksInBothNorms) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 3000, 300);
  const ProcessResult run = RunProgram(
      {"--model=stiefel_maxmin,stiefel_maxmin_hinge,conv_small_maxmin,"
       "linf_rows_groupsort4,none_relu_pgd",
       "--epochs=3", "--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  int records = 0;
  for (const Json& record : ReadRecordFiles(results, "mnist_robustness")) {
    ++records;
    const std::string slug = record["slug"];
    SCOPED_TRACE(slug);
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
    EXPECT_TRUE(std::filesystem::exists(results + "/models/mnist_robustness/" +
                                        slug + "-s0.lip"));
  }
  // PGD training in each norm.
  EXPECT_EQ(records, 6);
}

TEST(MnistRobustness, HeldOutImagesAreReportedOnAndTheTestSetIsLeftAlone) {
  const std::string results = NewFolder("results");
  const std::string data = SyntheticMnist(NewFolder("data"), 600, 100);
  const ProcessResult run =
      RunProgram({"--model=stiefel_maxmin", "--norm=l2", "--held_out=100",
                  "--data_dir=" + data, "--results_dir=" + results});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  const std::vector<Json> records =
      ReadRecordFiles(results, "mnist_robustness");
  EXPECT_EQ(records.size(), 1u);
  for (const Json& record : records) {
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
        "--held_out=100000", "--held_out=100", "--shift=28", "--shift=-1"}) {
    const ProcessResult run =
        RunProgram({flag, "--data_dir=" + data, "--results_dir=" + results});
    EXPECT_EQ(run.exit_status, 2) << flag << run.standard_error;
  }
  // Parts of losses that the models do not have.
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--model=stiefel_maxmin", "--margin=1"},
        {"--model=stiefel_maxmin_hinge", "--offset=1"},
        {"--model=stiefel_maxmin_hinge", "--temperature=2"}}) {
    std::vector<std::string> all = {"--norm=l2", "--data_dir=" + data,
                                    "--results_dir=" + results};
    all.insert(all.end(), flags.begin(), flags.end());
    const ProcessResult run = RunProgram(all);
    EXPECT_EQ(run.exit_status, 2) << flags[1] << run.standard_error;
    EXPECT_NE(run.standard_error.find("nothing here"), std::string::npos)
        << run.standard_error;
  }
  // MaxMin takes pairs.
  const ProcessResult odd =
      RunProgram({"--model=stiefel_maxmin", "--hidden=3,4",
                  "--data_dir=" + data, "--results_dir=" + results});
  EXPECT_EQ(odd.exit_status, 2) << odd.standard_error;
  EXPECT_NE(odd.standard_error.find("hidden layer 1"), std::string::npos)
      << odd.standard_error;
  EXPECT_FALSE(std::filesystem::exists(results + "/records"));
  const ProcessResult missing =
      RunProgram({"--dataset=cifar10", "--data_dir=" + NewFolder("nothing"),
                  "--results_dir=" + results});
  EXPECT_EQ(missing.exit_status, 2);
  EXPECT_NE(missing.standard_error.find("fetch_data.sh"), std::string::npos)
      << missing.standard_error;
}

}  // namespace
}  // namespace lipschitz
