// The program as a user meets it: plan, selection, processes, kills, locks.
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/subprocess.h"

namespace lipschitz {
namespace {

using testing::DataFile;
using testing::NewFolder;
using testing::ProcessOptions;
using testing::ProcessResult;
using testing::RunProcess;
using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

// Eight runs of a few hundredths of a second, and two of another experiment;
// they need no data.
constexpr char kFast[] =
    "--only=absolute_value/*bjorck 2*,squares/spectral-maxmin,"
    "squares/spectral-relu";
constexpr int kFastRuns = 10;

std::vector<std::string> Command(const std::string& results,
                                 const std::vector<std::string>& flags = {}) {
  std::vector<std::string> command = {DataFile("experiments/reproduce"),
                                      "--preset=smoke",
                                      "--seeds=1",
                                      "--device=cpu",
                                      "--threads=1",
                                      "--progress=lines",
                                      "--results_dir=" + results,
                                      kFast};
  command.insert(command.end(), flags.begin(), flags.end());
  return command;
}

ProcessResult Reproduce(const std::string& results,
                        const std::vector<std::string>& flags = {},
                        const ProcessOptions& options = {}) {
  return RunProcess(Command(results, flags), options);
}

std::string ReadAll(const std::string& path) {
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Files of every kind below results/records, those under a temporary name left
// out.
std::vector<std::string> RecordFiles(const std::string& results) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           results + "/records", error)) {
    if (entry.is_regular_file() && entry.path().extension() != ".tmp") {
      paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Every record without what may depend on when and how often it was run, by its
// path below `results`. A file that is no whole record is a failure.
std::map<std::string, Json> Records(const std::string& results) {
  std::map<std::string, Json> records;
  for (const std::string& path : RecordFiles(results)) {
    Json record = Json::parse(ReadAll(path), nullptr, false);
    EXPECT_TRUE(record.is_object()) << path << ": " << ReadAll(path);
    if (!record.is_object()) continue;
    EXPECT_EQ(record["status"], "ok") << path;
    record.erase("wall_seconds");
    record.erase("run_seconds");
    record.erase("peak_memory_mib");
    record.erase("environment");
    records[path.substr(results.size())] = record;
  }
  return records;
}

// Of one undisturbed run, in one process.
const std::map<std::string, Json>& Expected() {
  static const auto* const records = [] {
    const std::string results = NewFolder("undisturbed");
    const ProcessResult run = Reproduce(results, {"--jobs=1"});
    EXPECT_EQ(run.exit_status, 0) << run.standard_error;
    return new std::map<std::string, Json>(Records(results));
  }();
  return *records;
}

TEST(Reproduce, ListsThePlanAndRunsNothing) {
  const std::string results = NewFolder("results");
  const ProcessResult list = Reproduce(results, {"--list", "--jobs=2"});
  ASSERT_EQ(list.exit_status, 0) << list.standard_error;
  EXPECT_TRUE(Contains(list.standard_output,
                       "10 runs: 0 done, 10 to do, about 0 s with --jobs=2 and "
                       "10 runs of unknown length"))
      << list.standard_output;
  EXPECT_TRUE(Contains(list.standard_output, "| spectral-maxmin "));
  EXPECT_TRUE(Contains(list.standard_output, "| to do | ? "));
  EXPECT_TRUE(std::filesystem::is_empty(results));

  ASSERT_EQ(Reproduce(results, {"--only=squares/spectral-maxmin"}).exit_status,
            0);
  const ProcessResult after = Reproduce(results, {"--list"});
  EXPECT_TRUE(Contains(after.standard_output, "10 runs: 1 done, 9 to do"))
      << after.standard_output;
  // The other square is estimated from the one that is done.
  EXPECT_TRUE(Contains(after.standard_output, " and 8 runs of unknown length"))
      << after.standard_output;
}

// Not once for each run, which are in processes of their own.
TEST(Reproduce, TellsWhatIsWorthKnowingOfTheDataOnce) {
  const std::string results = NewFolder("results");
  const ProcessResult run = Reproduce(
      results, {"--jobs=2", "--only=wasserstein_estimation/*dense-s*-maxmin*"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_EQ(RecordFiles(results).size(), 2u);
  const std::string note = "the real images are synthetic";
  const size_t first = run.standard_error.find(note);
  EXPECT_NE(first, std::string::npos) << run.standard_error;
  EXPECT_EQ(run.standard_error.find(note, first + 1), std::string::npos)
      << run.standard_error;
}

TEST(Reproduce, BadFlagsExitWith2AndSayWhatIsWrong) {
  const std::string results = NewFolder("results");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--only=cubes", "absolute_value"},
      {"--only=squares/cube*", "squares/spectral-relu"},
      {"--skip=cubes", "'cubes'"},
      {"--skip=*", "nothing to run"},
      {"--shard=3/2", "'3/2'"},
      {"--jobs=-1", "-1"},
      {"--seeds=0", "--seeds"},
  };
  for (const auto& [flag, message] : cases) {
    const ProcessResult run = Reproduce(results, {flag});
    EXPECT_EQ(run.exit_status, 2) << flag << ": " << run.standard_error;
    EXPECT_TRUE(Contains(run.standard_error, message))
        << flag << ": " << run.standard_error;
  }
  EXPECT_TRUE(std::filesystem::is_empty(results));
}

TEST(Reproduce, SeveralProcessesFindWhatOneDoesAndKeepIt) {
  const std::string results = NewFolder("results");
  const ProcessResult run = Reproduce(results, {"--jobs=3"});
  ASSERT_EQ(run.exit_status, 0) << run.standard_error;
  EXPECT_EQ(Expected().size(), static_cast<size_t>(kFastRuns));
  EXPECT_EQ(Records(results), Expected());
  EXPECT_TRUE(Contains(run.standard_output, "10 runs done, 0 kept"))
      << run.standard_output;
  EXPECT_TRUE(Contains(run.standard_error, "[10/10] ")) << run.standard_error;
  EXPECT_TRUE(std::filesystem::exists(results + "/tables/squares_smoke.md"));

  const ProcessResult again = Reproduce(results, {"--jobs=3"});
  EXPECT_EQ(again.exit_status, 0);
  EXPECT_TRUE(Contains(again.standard_output, "0 runs done, 10 kept"))
      << again.standard_output;
}

// Every shard has its part whatever the others have done, and the parts copied
// into one folder are the whole.
TEST(Reproduce, ShardsShareTheWork) {
  const std::string merged = NewFolder("merged");
  for (const std::string shard : {"1/3", "2/3", "3/3"}) {
    const std::string results = NewFolder("results");
    const ProcessResult run = Reproduce(results, {"--shard=" + shard});
    ASSERT_EQ(run.exit_status, 0) << run.standard_error;
    EXPECT_GE(Records(results).size(), 3u);
    EXPECT_FALSE(std::filesystem::exists(results + "/tables"));
    for (const auto& [name, record] : Records(results)) {
      EXPECT_FALSE(std::filesystem::exists(merged + name)) << name;
    }
    std::filesystem::copy(results, merged,
                          std::filesystem::copy_options::recursive);
  }
  EXPECT_EQ(Records(merged), Expected());
}

// How many checkpoints of unfinished trainings there are.
int Checkpoints(const std::string& results) {
  std::error_code none;
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           results + "/checkpoints", none)) {
    if (entry.path().extension() == ".checkpoint") ++count;
  }
  return count;
}

// In a process of its own, --jobs of them below it: all die at once.
TEST(Reproduce, KilledAtAnyMomentAndResumedEndsWithTheSameRecords) {
  std::mt19937 random(1);
  const std::string results = NewFolder("results");
  ASSERT_FALSE(Expected().empty());
  // The longest that is worth while: the undisturbed time.
  const auto start = std::chrono::steady_clock::now();
  Reproduce(NewFolder("timed"), {"--jobs=2"});
  const int whole =
      static_cast<int>(std::chrono::duration_cast<milliseconds>(
                           std::chrono::steady_clock::now() - start)
                           .count());
  int killed = 0;
  int unfinished = 0;
  std::string folder = results;
  // 20 kills, and one at least in the middle of a training, which is rare where
  // a process takes longer to start than to train.
  for (int i = 0; i < 100 && (killed < 20 || unfinished == 0); ++i) {
    // What is done stays done: new folders give the late moments their turn.
    if (RecordFiles(folder).size() >= kFastRuns) folder = NewFolder("results");
    ProcessOptions options;
    const size_t before = RecordFiles(folder).size();
    // Of the time that is left.
    const int longest =
        std::max(1, whole * (kFastRuns - static_cast<int>(before)) / kFastRuns);
    options.kill_after =
        milliseconds(std::uniform_int_distribution<int>(1, longest)(random));
    const ProcessResult run =
        Reproduce(folder, {"--jobs=2", "--checkpoint_steps=2"}, options);
    if (run.signal != 0) ++killed;
    if (Checkpoints(folder) > 0) ++unfinished;
    // Whole, as expected, and none of the earlier ones lost.
    const auto records = Records(folder);
    EXPECT_GE(records.size(), before);
    for (const auto& [name, record] : records) {
      ASSERT_EQ(Expected().count(name), 1u) << name;
      EXPECT_EQ(record, Expected().at(name)) << name;
    }
  }
  EXPECT_GE(killed, 20);
  // The next call resumed these trainings.
  EXPECT_GT(unfinished, 0);
  const ProcessResult last = Reproduce(folder, {"--jobs=2"});
  ASSERT_EQ(last.exit_status, 0) << last.standard_error;
  EXPECT_EQ(Records(folder), Expected());
  EXPECT_EQ(Checkpoints(folder), 0);
}

// The numbers of the processes whose parent is `parent`.
std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // "PID (NAME) STATE PARENT ...".
    const std::string status = ReadAll("/proc/" + name + "/stat");
    const size_t end = status.rfind(')');
    if (end == std::string::npos || status.size() < end + 5) continue;
    if (std::stoi(status.substr(end + 4)) == parent) {
      children.push_back(std::stoi(name));
    }
  }
  return children;
}

// As when the system runs out of memory.
TEST(Reproduce, AWorkerThatIsKilledFailsItsRunAlone) {
  const std::string results = NewFolder("results");
  const std::string locks = results + "/locks/absolute_value";
  const pid_t ours = getpid();
  std::thread killer([&] {
    // The lock is the worker's, below the program, below the test.
    while (!std::filesystem::exists(locks)) {
      std::this_thread::sleep_for(milliseconds(2));
    }
    for (const pid_t program : ChildrenOf(ours)) {
      for (const pid_t worker : ChildrenOf(program)) kill(worker, SIGKILL);
    }
  });
  const ProcessResult run = Reproduce(results, {"--jobs=1"});
  killer.join();
  EXPECT_EQ(run.exit_status, 1) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "FAILED: absolute_value/"))
      << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "signal 9"));
  EXPECT_TRUE(Contains(run.standard_output,
                       "10 runs done, 0 kept from before, "
                       "1 failed"))
      << run.standard_output;
  EXPECT_EQ(Records(results).size(), static_cast<size_t>(kFastRuns) - 1);
  EXPECT_EQ(Reproduce(results).exit_status, 0);
  EXPECT_EQ(Records(results), Expected());
}

// The script that a job array runs, as a cluster calls it.
TEST(SlurmArray, RunsEveryPartOnce) {
  const std::string checkout = NewFolder("checkout");
  std::filesystem::create_directories(checkout + "/bazel-bin/experiments");
  std::filesystem::create_symlink(
      std::filesystem::canonical(DataFile("experiments/reproduce")),
      checkout + "/bazel-bin/experiments/reproduce");
  std::vector<std::string> command =
      Command(checkout + "/results", {"--progress=none"});
  command.erase(command.begin());
  command.insert(command.begin(),
                 {"/bin/bash", std::filesystem::absolute(
                                   DataFile("tools/slurm_array.sbatch"))});
  const auto submit = [&](const std::string& task, const std::string& parts) {
    ProcessOptions options;
    options.environment = {{"SLURM_SUBMIT_DIR", checkout},
                           {"SLURM_ARRAY_TASK_ID", task},
                           // Of a part of the array that is submitted again.
                           {"SLURM_ARRAY_TASK_MIN", task},
                           {"SLURM_ARRAY_TASK_COUNT", "1"},
                           {"SLURM_CPUS_PER_TASK", "1"},
                           {"PARTS", parts}};
    return RunProcess(command, options);
  };
  for (const std::string task : {"1", "2"}) {
    const ProcessResult run = submit(task, "2");
    EXPECT_EQ(run.exit_status, 0) << run.standard_error;
    EXPECT_TRUE(Contains(run.standard_output, "5 runs done, 0 kept"))
        << run.standard_output;
  }
  EXPECT_EQ(Records(checkout + "/results"), Expected());
  // An array that does not fit the parts.
  const ProcessResult beyond = submit("3", "2");
  EXPECT_EQ(beyond.exit_status, 2);
  EXPECT_TRUE(Contains(beyond.standard_error, "PARTS"))
      << beyond.standard_error;
}

TEST(Reproduce, CtrlCStopsAllAndTheNextCallGoesOn) {
  const std::string results = NewFolder("results");
  ProcessOptions options;
  options.kill_signal = SIGINT;
  // Long enough to be under way when it comes.
  const std::vector<std::string> flags = {
      "--only=absolute_value/relu bjorck 3*,absolute_value/abs bjorck 3*",
      "--preset=quick", "--jobs=2"};
  options.kill_when_exists = results + "/locks/absolute_value";
  const ProcessResult run = Reproduce(results, flags, options);
  EXPECT_EQ(run.exit_status, 130) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error,
                       "the same command goes on from "
                       "here"))
      << run.standard_error;
  // Nobody is left at work: every lock is free and gone.
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(results + "/locks")) {
    EXPECT_TRUE(entry.is_directory()) << entry.path();
  }
  EXPECT_GE(Checkpoints(results), 1);
  const ProcessResult next = Reproduce(results, flags);
  EXPECT_EQ(next.exit_status, 0) << next.standard_error;
  EXPECT_TRUE(Contains(next.standard_error, "resumed from step"))
      << next.standard_error;
}

TEST(Reproduce, TwoAtOnceOnOneFolderShareTheWork) {
  const std::string results = NewFolder("results");
  ProcessResult first;
  std::thread other([&] { first = Reproduce(results, {"--jobs=2"}); });
  const ProcessResult second = Reproduce(results, {"--jobs=2"});
  other.join();
  EXPECT_EQ(first.exit_status, 0) << first.standard_error;
  EXPECT_EQ(second.exit_status, 0) << second.standard_error;
  EXPECT_EQ(Records(results), Expected());
  // Each ran what the other did not.
  int done = 0;
  for (const ProcessResult& run : {first, second}) {
    const size_t at = run.standard_output.find(" runs done, ");
    ASSERT_NE(at, std::string::npos) << run.standard_output;
    const size_t line = run.standard_output.rfind('\n', at) + 1;
    done += std::stoi(run.standard_output.substr(line, at - line));
  }
  EXPECT_EQ(done, kFastRuns);
}

TEST(Reproduce, AnUnusableResultsFolderExitsWith2BeforeAnyWork) {
  const std::string file = NewFolder("results") + "/file";
  std::ofstream(file) << "x";
  // /proc refuses new files to everyone, root included.
  for (const std::string& folder : {std::string("/proc/results"), file}) {
    const ProcessResult run = Reproduce(folder);
    EXPECT_EQ(run.exit_status, 2) << run.standard_error;
    EXPECT_TRUE(Contains(run.standard_error, folder)) << run.standard_error;
    EXPECT_FALSE(Contains(run.standard_error, "[1/"));
  }
  EXPECT_EQ(ReadAll(file), "x");
}

TEST(Reproduce, AFullDiskExitsWith1AndLosesNothingEarlier) {
  const std::string results = NewFolder("results");
  ASSERT_EQ(Reproduce(results, {"--only=squares/spectral-relu"}).exit_status,
            0);
  const auto before = Records(results);
  EXPECT_EQ(before.size(), 1u);
  ProcessOptions options;
  // Smaller than any record.
  options.largest_file = 512;
  const ProcessResult run = Reproduce(results, {"--jobs=2"}, options);
  EXPECT_EQ(run.exit_status, 1) << run.standard_error;
  EXPECT_TRUE(Contains(run.standard_error, "free some space"))
      << run.standard_error;
  EXPECT_EQ(Records(results), before);
  // With room again the same command goes on.
  EXPECT_EQ(Reproduce(results).exit_status, 0);
  EXPECT_EQ(Records(results), Expected());
}

TEST(Reproduce, BrokenAndForeignRecordsAreNamedAndLeftAlone) {
  const std::string results = NewFolder("results");
  const std::string folder = results + "/records/squares/";
  std::filesystem::create_directories(folder);
  const std::map<std::string, std::string> files = {
      {"future-s0.json", "{\"schema\": 99}"},
      {"broken-s0.json", "{\"schema\": 1, \"exper"},
      {"other-s0.json", "[]"}};
  for (const auto& [name, content] : files) {
    std::ofstream(folder + name) << content;
  }
  const ProcessResult run = Reproduce(results);
  EXPECT_EQ(run.exit_status, 0) << run.standard_error;
  for (const auto& [name, content] : files) {
    EXPECT_TRUE(Contains(run.standard_error, name)) << run.standard_error;
    EXPECT_EQ(ReadAll(folder + name), content);
  }
  EXPECT_EQ(RecordFiles(results).size(),
            static_cast<size_t>(kFastRuns) + files.size());
}

}  // namespace
}  // namespace lipschitz
