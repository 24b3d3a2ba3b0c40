// The program as a user meets it: exit statuses, messages, records, resuming.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/experiment_program.h"
#include "tests/testing/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::DataFile;
using testing::NewFolder;
using testing::ProcessOptions;
using testing::ProcessResult;
using testing::ReadJson;
using testing::ReadText;
using testing::RunExperimentProgram;
using testing::RunProcess;
using Json = nlohmann::ordered_json;

constexpr char kSlug[] = "bjorck-2x-maxmin-smoke";

ProcessResult RunProgram(const std::vector<std::string>& flags,
                         const ProcessOptions& options = {}) {
  return RunExperimentProgram("absolute_value", flags, options);
}

std::vector<std::string> OneRun(const std::string& results) {
  return {"--preset=smoke", "--activation=maxmin", "--constraint=bjorck",
          "--hidden_layers=2", "--results_dir=" + results};
}

std::string RecordFile(const std::string& results,
                       const std::string& slug = kSlug) {
  return results + "/records/absolute_value/" + slug + "-s0.json";
}

// Of a record: all that must not depend on when and how often it was run.
Json Result(const std::string& path) {
  Json record = ReadJson(path);
  if (record.is_object()) {
    record.erase("wall_seconds");
    record.erase("run_seconds");
    record.erase("peak_memory_mib");
    record.erase("environment");
  }
  return record;
}

std::vector<std::string> TemporaryFiles(const std::string& folder) {
  std::vector<std::string> found;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".tmp") found.push_back(entry.path());
  }
  return found;
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Program, WritesRecordTableAndFigures) {
  const std::string results = NewFolder("results");
  const ProcessResult run = RunProgram(OneRun(results));
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_output, "maxmin")) << run.standard_output;
  const Json record = Result(RecordFile(results));
  EXPECT_EQ(record["schema"], 1);
  EXPECT_EQ(record["status"], "ok");
  EXPECT_EQ(record["seed"], 0);
  EXPECT_LE(record["lipschitz"]["upper_bound"].get<double>(), 1.0 + 1e-5);
  EXPECT_GT(record["metrics"]["wasserstein_estimate"].get<double>(), 0.9);
  EXPECT_TRUE(Contains(ReadText(results + "/tables/absolute_value_smoke.md"),
                       "maxmin"));
  EXPECT_TRUE(std::filesystem::exists(
      results + "/figures/absolute_value_smoke_bjorck.png"));
  EXPECT_TRUE(std::filesystem::exists(
      results + "/figures/absolute_value_smoke_bjorck.svg"));
  EXPECT_TRUE(TemporaryFiles(results).empty());
  // Paths of the machine do not enter records, which are committed.
  EXPECT_FALSE(Contains(ReadText(RecordFile(results)), results));
}

TEST(Program, TheSameSeedGivesTheSameRecord) {
  const std::string a = NewFolder("results");
  const std::string b = NewFolder("results");
  ASSERT_EQ(RunProgram(OneRun(a)).exit_status, 0);
  ASSERT_EQ(RunProgram(OneRun(b)).exit_status, 0);
  EXPECT_EQ(Result(RecordFile(a)), Result(RecordFile(b)));
}

TEST(Program, ASecondCallKeepsTheRecordAndWithoutResumeDoesNot) {
  const std::string results = NewFolder("results");
  ASSERT_EQ(RunProgram(OneRun(results)).exit_status, 0);
  const std::string before = ReadText(RecordFile(results));
  const ProcessResult kept = RunProgram(OneRun(results));
  EXPECT_EQ(kept.exit_status, 0);
  EXPECT_TRUE(Contains(kept.standard_error, "kept"));
  EXPECT_EQ(ReadText(RecordFile(results)), before);
  auto again = OneRun(results);
  again.push_back("--resume=false");
  const ProcessResult fresh = RunProgram(again);
  EXPECT_EQ(fresh.exit_status, 0);
  EXPECT_FALSE(Contains(fresh.standard_error, "kept"));
}

// The moments are spread over start-up, training, report and the time after.
TEST(Program, KilledAtAnyMomentAndResumedEndsWithTheSameRecord) {
  const auto flags = [](const std::string& results) {
    auto all = OneRun(results);
    all.insert(all.end(), {"--steps=400", "--checkpoint_steps=5"});
    return all;
  };
  const auto only_record = [](const std::string& results) {
    std::string found;
    for (const auto& entry : std::filesystem::directory_iterator(
             results + "/records/absolute_value")) {
      if (entry.path().extension() == ".json") found = entry.path();
    }
    return found;
  };
  const std::string undisturbed = NewFolder("results");
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(RunProgram(flags(undisturbed)).exit_status, 0);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  const Json expected = Result(only_record(undisturbed));

  int killed = 0;
  int resumed = 0;
  for (int i = 1; i <= 12; ++i) {
    const std::string results = NewFolder("results");
    ProcessOptions options;
    options.kill_after = whole * i / 13 + std::chrono::milliseconds(1);
    const ProcessResult first = RunProgram(flags(results), options);
    if (first.signal != 0) ++killed;
    const ProcessResult second = RunProgram(flags(results));
    ASSERT_EQ(second.exit_status, 0) << second.standard_error;
    if (Contains(second.standard_error, "resumed from step")) ++resumed;
    EXPECT_EQ(Result(only_record(results)), expected) << "killed after " << i;
  }
  // The machine's speed moves the moments, but not all of them out of the run.
  EXPECT_GT(killed, 0);
  EXPECT_GT(resumed, 0);
}

TEST(Program, ADamagedCheckpointIsReportedAndTheRunStartsAnew) {
  const std::string expected_results = NewFolder("results");
  ASSERT_EQ(RunProgram(OneRun(expected_results)).exit_status, 0);
  const std::string results = NewFolder("results");
  const std::string checkpoint = results + "/checkpoints/absolute_value/" +
                                 std::string(kSlug) + "-s0.checkpoint";
  std::filesystem::create_directories(
      std::filesystem::path(checkpoint).parent_path());
  std::ofstream(checkpoint) << "not a checkpoint";
  const ProcessResult run = RunProgram(OneRun(results));
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_TRUE(Contains(run.standard_error, checkpoint)) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "from the beginning"));
  EXPECT_EQ(Result(RecordFile(results)), Result(RecordFile(expected_results)));
  EXPECT_FALSE(std::filesystem::exists(checkpoint));
}

TEST(Program, BadFlagsExitWith2AndSayWhatIsWrong) {
  const std::string results = NewFolder("results");
  struct Case {
    std::string flag;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"--no_such_flag=1", "no_such_flag"},
      {"--seed=many", "many"},
      {"--seed=-1", "-1"},
      {"--seed=4294967296", "4294967295"},
      {"--preset=huge", "smoke, quick, paper"},
      {"--device=tpu", "auto, cpu, cuda"},
      {"--dataset=imagenet", "mnist, fashion_mnist, cifar10"},
      {"--threads=-2", "-2"},
      {"--progress=loud", "auto, bar, lines, none"},
      {"--activation=tanh", "maxmin"},
      {"--activation=groupsort7", "groupsort7"},
      {"--constraint=l3", "bjorck"},
      {"--hidden_layers=one", "one"},
      {"--hidden_layers=0", "0"},
      {"--hidden_layers=", "nothing to run"},
      {"--steps=-5", "-5"},
      {"--learning_rate=-1", "-1"},
      {"--width=-3", "-3"},
      {"--checkpoint_steps=-1", "-1"},
      {"--flagfile=/no/such/file", "/no/such/file"},
      {"stray", "stray"},
  };
  for (const Case& bad : cases) {
    auto flags = OneRun(results);
    flags.push_back(bad.flag);
    const ProcessResult run = RunProgram(flags);
    EXPECT_EQ(run.exit_status, 2) << bad.flag << ": " << run.standard_error;
    EXPECT_TRUE(Contains(run.standard_error, bad.message))
        << bad.flag << ": " << run.standard_error;
    EXPECT_EQ(run.standard_output, "") << bad.flag;
  }
  EXPECT_FALSE(std::filesystem::exists(results + "/records"));
}

TEST(Program, AMissingDeviceIsAnErrorAndNotASilentCpu) {
  ProcessOptions options;
  options.environment = {{"CUDA_VISIBLE_DEVICES", ""}};
  auto flags = OneRun(NewFolder("results"));
  flags.push_back("--device=cuda");
  const ProcessResult run = RunProgram(flags, options);
  EXPECT_EQ(run.exit_status, 2) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "--device=cpu"));
}

// Debian keeps every BLAS in a folder of its own; LibTorch's package brings the
// reference one.
TEST(Program, WarnsOnceOnTheReferenceBlasAndOnNoOther) {
  EXPECT_FALSE(Contains(RunProgram(OneRun(NewFolder("results"))).standard_error,
                        "reference BLAS"));
  for (const std::string triplet : {"x86_64-linux-gnu", "aarch64-linux-gnu"}) {
    const std::string folder = "/usr/lib/" + triplet + "/blas";
    if (!std::filesystem::exists(folder + "/libblas.so.3")) continue;
    ProcessOptions options;
    options.environment = {{"LD_LIBRARY_PATH", folder}};
    const std::string results = NewFolder("results");
    const ProcessResult run = RunProgram(OneRun(results), options);
    EXPECT_EQ(run.exit_status, 0) << run.standard_error;
    const size_t first = run.standard_error.find("is the reference BLAS");
    ASSERT_NE(first, std::string::npos) << run.standard_error;
    EXPECT_EQ(run.standard_error.find("is the reference BLAS", first + 1),
              std::string::npos);
    EXPECT_TRUE(Contains(run.standard_error, "tools/setup.sh"));
    const Json record = ReadJson(RecordFile(results));
    EXPECT_EQ(record["environment"]["blas"], "reference");
  }
}

TEST(Program, HelpExitsWith0AndListsTheFlags) {
  const ProcessResult run = RunProgram({"--help"});
  EXPECT_EQ(run.exit_status, 0);
  for (const std::string flag :
       {"-preset", "-seed", "-results_dir", "-resume", "-activation"}) {
    EXPECT_TRUE(Contains(run.standard_output, flag)) << flag;
  }
}

TEST(Program, FlagsComeFromAFileToo) {
  const std::string results = NewFolder("results");
  const std::string file = results + "/flags";
  {
    std::ofstream stream(file);
    for (const std::string& flag : OneRun(results)) stream << flag << "\n";
  }
  EXPECT_EQ(RunProgram({"--flagfile=" + file}).exit_status, 0);
  EXPECT_TRUE(std::filesystem::exists(RecordFile(results)));
}

// /proc refuses new files to everyone, root included.
TEST(Program, AnUnwritableResultsFolderExitsWith2BeforeAnyWork) {
  const std::string file = NewFolder("results") + "/file";
  std::ofstream(file) << "x";
  for (const std::string& folder : {std::string("/proc/results"), file}) {
    const ProcessResult run = RunProgram(OneRun(folder));
    EXPECT_EQ(run.exit_status, 2) << run.standard_error;
    EXPECT_TRUE(Contains(run.standard_error, folder)) << run.standard_error;
    EXPECT_FALSE(Contains(run.standard_error, "[1/1]"));
  }
}

TEST(Program, AFullDiskExitsWith1AndLosesNothingEarlier) {
  const std::string results = NewFolder("results");
  ASSERT_EQ(RunProgram(OneRun(results)).exit_status, 0);
  const std::string before = ReadText(RecordFile(results));
  auto flags = OneRun(results);
  flags.push_back("--resume=false");
  ProcessOptions options;
  // Smaller than the record.
  options.largest_file = 1024;
  const ProcessResult run = RunProgram(flags, options);
  EXPECT_EQ(run.exit_status, 1) << run.standard_error;
  EXPECT_EQ(ReadText(RecordFile(results)), before);
  EXPECT_TRUE(TemporaryFiles(results).empty());
}

TEST(Program, AFailedTrainingLeavesAFailedRecordAndExitsWith1) {
  const std::string results = NewFolder("results");
  const ProcessResult run =
      RunProgram({"--preset=smoke", "--activation=relu", "--constraint=none",
                  "--hidden_layers=2", "--learning_rate=1e30",
                  "--results_dir=" + results});
  EXPECT_EQ(run.exit_status, 1) << run.standard_error;
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator(
           results + "/records/absolute_value")) {
    found = entry.path();
  }
  const Json record = Result(found);
  EXPECT_EQ(record["status"], "failed");
  EXPECT_TRUE(Contains(record["message"].get<std::string>(), "step"));
}

TEST(Program, ARecordOfAnotherSchemaIsNamedAndLeftAlone) {
  const std::string results = NewFolder("results");
  const std::string other = results + "/records/absolute_value/other-s0.json";
  std::filesystem::create_directories(
      std::filesystem::path(other).parent_path());
  std::ofstream(other) << "{\"schema\": 99}";
  const ProcessResult run = RunProgram(OneRun(results));
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "other-s0.json"));
  EXPECT_EQ(ReadText(other), "{\"schema\": 99}");
}

TEST(Tables, AreByteIdenticalWhenMadeAgainFromTheRecords) {
  const std::string results = NewFolder("results");
  ASSERT_EQ(RunProgram(OneRun(results)).exit_status, 0);
  const std::vector<std::string> names = {
      "/tables/absolute_value_smoke.md", "/tables/absolute_value_smoke.csv",
      "/figures/absolute_value_smoke_bjorck.png",
      "/figures/absolute_value_smoke_bjorck.svg"};
  std::vector<std::string> before;
  for (const std::string& name : names) {
    before.push_back(ReadText(results + name));
    EXPECT_FALSE(before.back().empty()) << name;
    std::filesystem::remove(results + name);
  }
  const ProcessResult tables =
      RunProcess({DataFile("results/tables"), "--results_dir=" + results});
  ASSERT_EQ(tables.exit_status, 0) << tables.standard_error;
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(ReadText(results + names[i]), before[i]) << names[i];
  }
}

// No report of nothing, none over somebody's page, and no flag without effect.
TEST(Tables, RefuseWhatCannotBeMeant) {
  const std::string empty = NewFolder("empty");
  const std::string project = NewFolder("project");
  std::filesystem::create_directory(project + "/records");
  std::ofstream(project + "/README.md") << "# My project\n";
  const std::string records = NewFolder("records");
  std::filesystem::create_directory(records + "/records");
  struct Case {
    std::vector<std::string> flags;
    std::string says;
  };
  for (const Case& bad :
       {Case{{"--results_dir=" + empty}, "there are no records"},
        Case{{"--results_dir=" + empty + "/missing"}, "there are no records"},
        Case{{"--results_dir=" + project}, "README.md"},
        Case{{"--results_dir=" + records, "--preset=paper"}, "--preset"}}) {
    std::vector<std::string> command = {DataFile("results/tables")};
    command.insert(command.end(), bad.flags.begin(), bad.flags.end());
    const ProcessResult run = RunProcess(command);
    EXPECT_EQ(run.exit_status, 2) << bad.flags[0];
    EXPECT_TRUE(Contains(run.standard_error, bad.says)) << run.standard_error;
  }
  EXPECT_EQ(ReadText(project + "/README.md"), "# My project\n");
  EXPECT_FALSE(std::filesystem::exists(empty + "/missing"));
  EXPECT_TRUE(std::filesystem::is_empty(empty));
}

}  // namespace
}  // namespace lipschitz
