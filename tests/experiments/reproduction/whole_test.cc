// Every experiment, in the smoke preset: from the plan to records, tables and
// figures.
#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/digits.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::DataFile;
using testing::NewFolder;
using testing::ProcessOptions;
using testing::ProcessResult;
using testing::RunProcess;

// The number of runs in the plan, from its last line "N runs: ...".
int RunsInPlan(const std::string& list) {
  const size_t at = list.find(" runs: ");
  if (at == std::string::npos) return -1;
  const size_t line = list.rfind('\n', at) + 1;
  return std::stoi(list.substr(line, at - line));
}

int Records(const std::string& results) {
  int records = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           results + "/records", none)) {
    if (entry.path().extension() == ".json") ++records;
  }
  return records;
}

TEST(Reproduce, RunsEverythingOnceAndGoesOnAfterAKill) {
  const std::string results = NewFolder("results");
  const std::string data = testing::SyntheticMnist(NewFolder("data"), 500, 50);
  std::vector<std::string> command = {DataFile("experiments/reproduce"),
                                      "--preset=smoke",
                                      "--seeds=1",
                                      "--threads=1",
                                      "--device=cpu",
                                      "--dataset=mnist",
                                      "--data_dir=" + data,
                                      "--results_dir=" + results};
  command.emplace_back("--list");
  const ProcessResult list = RunProcess(command);
  command.pop_back();
  ASSERT_EQ(list.exit_status, 0) << list.standard_error;
  const int runs = RunsInPlan(list.standard_output);
  ASSERT_GT(runs, 0) << list.standard_output;

  ProcessOptions options;
  options.kill_after = std::chrono::milliseconds(4000);
  RunProcess(command, options);
  const int before = Records(results);
  ASSERT_LT(before, runs) << "it was done before it was killed";
  const ProcessResult whole = RunProcess(command);
  ASSERT_EQ(whole.exit_status, 0) << whole.standard_error;
  // What was there already was not run again.
  EXPECT_NE(whole.standard_output.find(std::to_string(runs - before) +
                                       " runs done, " + std::to_string(before) +
                                       " kept"),
            std::string::npos)
      << whole.standard_output;
  EXPECT_EQ(Records(results), runs);
  for (const auto& folder :
       std::filesystem::directory_iterator(results + "/records")) {
    const std::string table =
        results + "/tables/" + folder.path().filename().string() + "_smoke.md";
    EXPECT_TRUE(std::filesystem::exists(table)) << table;
  }
  EXPECT_TRUE(std::filesystem::exists(results + "/README.md"));
  const ProcessResult again = RunProcess(command);
  EXPECT_EQ(again.exit_status, 0);
  EXPECT_NE(again.standard_output.find("0 runs done, " + std::to_string(runs) +
                                       " kept"),
            std::string::npos)
      << again.standard_output;
}

}  // namespace
}  // namespace lipschitz
