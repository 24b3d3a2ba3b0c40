#include "experiments/common/runner.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/progress.h"
#include "experiments/common/record.h"
#include "experiments/common/run_lock.h"
#include "experiments/common/settings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "tests/experiments/common/fake_experiment.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Folder() {
  return ::testing::TempDir() + "/runner_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

CommonSettings Settings() {
  CommonSettings settings;
  settings.results_dir = Folder();
  settings.threads = 1;
  settings.device = "cpu";
  return settings;
}

// Runs the experiment's runs with one seed, without a word.
absl::StatusOr<RunnerResult> RunAll(
    const FakeExperiment& experiment, const CommonSettings& settings,
    const std::function<bool()>& stop_requested = nullptr) {
  std::vector<Task> tasks;
  for (const Run& run : experiment.runs) {
    tasks.push_back({&experiment, run, settings.preset, settings.seed});
  }
  ProgressDisplay display(ProgressMode::kNone, stderr);
  return RunTasks(tasks, settings, display, stop_requested);
}

absl::StatusOr<Record> Written(const std::string& slug, uint64_t seed = 0) {
  return ReadRecord(RecordPath(Folder(), "fake", slug, seed));
}

std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      names.push_back(entry.path().filename().string());
    }
  }
  return names;
}

RunOutcome FullOutcome() {
  RunOutcome outcome;
  outcome.metrics = {{"score", 0.75}, {"loss", 0.1}};
  outcome.curves = {{"accuracy", {{"norm", "l2"}, {"value", {1.0, 0.5}}}}};
  outcome.lipschitz = LipschitzRecord{Norm::kL2, 1.0, 0.5};
  outcome.history = {{10, {{"loss", 0.25}}}};
  outcome.seconds = 123.5;
  outcome.parameters = 17;
  return outcome;
}

// The record of FullOutcome, in memory and in the file.
void ExpectFullRecord(const Record& record) {
  EXPECT_EQ(record.experiment, "fake");
  EXPECT_EQ(record.slug, "a");
  EXPECT_EQ(record.variant, Json({{"name", "a"}}));
  EXPECT_EQ(record.preset, "paper");
  EXPECT_EQ(record.dataset, "mnist");
  EXPECT_EQ(record.seed, 5u);
  EXPECT_EQ(record.metrics, FullOutcome().metrics);
  EXPECT_EQ(record.curves, FullOutcome().curves);
  ASSERT_TRUE(record.lipschitz.has_value());
  EXPECT_EQ(record.lipschitz->lower_bound, 0.5);
  ASSERT_EQ(record.history.size(), 1u);
  EXPECT_EQ(record.history[0].step, 10);
  EXPECT_EQ(record.config,
            Json({{"version", 1}, {"name", "a"}, {"rate", 0.1}}));
  EXPECT_EQ(record.environment["threads"], 1);
  EXPECT_EQ(record.environment["device"], "cpu");
  EXPECT_EQ(record.wall_seconds, 123.5);
  // A training of 123.5 seconds that was resumed and ended now.
  EXPECT_EQ(record.run_seconds, 123.5);
  EXPECT_GT(record.peak_memory_mib, 5.0);
  EXPECT_EQ(record.parameters, 17);
}

TEST(RunTasksTest, WritesWhatARunFound) {
  FakeExperiment experiment;
  experiment.runs = {
      FakeRun("a", [](const RunContext&) { return FullOutcome(); })};
  experiment.runs[0].dataset = "mnist";
  CommonSettings settings = Settings();
  settings.seed = 5;
  settings.preset = Preset::kPaper;
  const auto result = RunAll(experiment, settings);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->executed, 1);
  EXPECT_EQ(result->kept, 0);
  EXPECT_EQ(result->failed, 0);
  EXPECT_FALSE(result->interrupted);
  ASSERT_EQ(result->records.size(), 1u);
  const auto written = Written("a", 5);
  ASSERT_TRUE(written.ok()) << written.status();
  for (const Record& record : {result->records[0], *written}) {
    ExpectFullRecord(record);
    EXPECT_EQ(record.status, "ok");
    EXPECT_EQ(record.message, "");
  }
  EXPECT_THAT(FilesBelow(Folder()), ElementsAre("a-s5.json"));
}

TEST(RunTasksTest, MessageOfARunThatIsOkIsKept) {
  FakeExperiment experiment;
  experiment.runs = {FakeRun("a", [](const RunContext&) {
    RunOutcome outcome = FullOutcome();
    outcome.message = "worth knowing";
    return outcome;
  })};
  ASSERT_TRUE(RunAll(experiment, Settings()).ok());
  const auto written = Written("a", Settings().seed);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->status, "ok");
  EXPECT_EQ(written->message, "worth knowing");
}

TEST(RunTasksTest, BrokenVerdictKeepsTheNumbersAndFails) {
  FakeExperiment experiment;
  experiment.runs = {FakeRun("a", [](const RunContext&) {
    RunOutcome outcome = FullOutcome();
    outcome.verdict = absl::InternalError("the certificate is broken");
    return outcome;
  })};
  experiment.runs[0].dataset = "mnist";
  CommonSettings settings = Settings();
  settings.seed = 5;
  settings.preset = Preset::kPaper;
  const auto result = RunAll(experiment, settings);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->executed, 1);
  EXPECT_EQ(result->failed, 1);
  const auto written = Written("a", 5);
  ASSERT_TRUE(written.ok()) << written.status();
  for (const Record& record : {result->records[0], *written}) {
    ExpectFullRecord(record);
    EXPECT_EQ(record.status, "failed");
    EXPECT_EQ(record.message, "the certificate is broken");
  }
}

TEST(RunTasksTest, FailuresDoNotStopTheOthers) {
  FakeExperiment experiment;
  int executions = 0;
  experiment.runs = {
      FailingRun("diverged", absl::AbortedError("not finite at step 7")),
      FakeRun("threw",
              [](const RunContext&) -> absl::StatusOr<RunOutcome> {
                throw std::runtime_error("sizes differ\nstack trace");
              }),
      FakeRun("torch",
              [](const RunContext&) -> absl::StatusOr<RunOutcome> {
                at::ones({2}) + at::ones({3});
                return RunOutcome();
              }),
      CountingRun("good", &executions)};
  const auto result = RunAll(experiment, Settings());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(executions, 1);
  EXPECT_EQ(result->executed, 4);
  EXPECT_EQ(result->failed, 3);
  EXPECT_FALSE(result->interrupted);
  ASSERT_EQ(result->records.size(), 4u);
  EXPECT_TRUE(result->records[3].ok());

  const auto diverged = Written("diverged");
  ASSERT_TRUE(diverged.ok()) << diverged.status();
  EXPECT_EQ(diverged->status, "failed");
  EXPECT_EQ(diverged->message, "not finite at step 7");
  EXPECT_TRUE(diverged->metrics.empty());
  EXPECT_FALSE(diverged->lipschitz.has_value());
  EXPECT_EQ(diverged->variant, Json({{"name", "diverged"}}));
  EXPECT_EQ(diverged->environment["device"], "cpu");
  const auto threw = Written("threw");
  ASSERT_TRUE(threw.ok()) << threw.status();
  EXPECT_EQ(threw->status, "failed");
  EXPECT_THAT(threw->message, HasSubstr("sizes differ"));
  EXPECT_THAT(threw->message, Not(HasSubstr("stack trace")));
  EXPECT_EQ(Written("torch")->status, "failed");
  EXPECT_TRUE(Written("good")->ok());
}

TEST(RunTasksTest, NoTasksAreDoneAtOnce) {
  const auto result = RunAll(FakeExperiment(), Settings());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->records, IsEmpty());
  EXPECT_FALSE(result->interrupted);
}

TEST(RunTasksTest, RunsGetTheSettings) {
  RunContext seen;
  int threads = 0;
  FakeExperiment experiment;
  experiment.runs = {FakeRun("a", [&](const RunContext& context) {
    seen = context;
    threads = at::get_num_threads();
    return RunOutcome();
  })};
  CommonSettings settings = Settings();
  settings.seed = 11;
  settings.threads = 2;
  settings.checkpoint_steps = 17;
  bool stop = false;
  ASSERT_TRUE(RunAll(experiment, settings, [&] { return stop; }).ok());
  EXPECT_EQ(seen.seed, 11u);
  EXPECT_EQ(seen.device, "cpu");
  EXPECT_EQ(threads, 2);
  EXPECT_EQ(seen.checkpoint.path,
            Folder() + "/checkpoints/fake/a-s11.checkpoint");
  EXPECT_EQ(seen.model_path, Folder() + "/models/fake/a-s11.lip");
  EXPECT_EQ(seen.picture_stem, Folder() + "/figures/fake/a-s11");
  EXPECT_TRUE(seen.checkpoint.resume);
  EXPECT_EQ(seen.checkpoint.every_steps, 17);
  EXPECT_FALSE(seen.stop_requested());
  stop = true;
  EXPECT_TRUE(seen.stop_requested());
  settings.resume = false;
  stop = false;
  ASSERT_TRUE(RunAll(experiment, settings, [&] { return stop; }).ok());
  EXPECT_FALSE(seen.checkpoint.resume);
}

TEST(RunTasksTest, RunsWriteToTheDisplay) {
  FakeExperiment experiment;
  experiment.runs = {FakeRun("a",
                             [](const RunContext& context) {
                               context.progress({1, 2, 0, 0.1, 0.5});
                               context.notice("resumed from step 1");
                               RunOutcome outcome;
                               outcome.metrics = {{"score", 0.5}};
                               outcome.seconds = 1.25;
                               return outcome;
                             }),
                     FailingRun("b", absl::AbortedError("diverged"))};
  std::FILE* const stream = std::tmpfile();
  ProgressDisplay display(ProgressMode::kLines, stream);
  ASSERT_TRUE(RunTasks({{&experiment, experiment.runs[0], Preset::kQuick, 3},
                        {&experiment, experiment.runs[1], Preset::kQuick, 3}},
                       Settings(), display, nullptr)
                  .ok());
  std::rewind(stream);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stream));
  std::fclose(stream);
  EXPECT_THAT(text, HasSubstr("resumed from step 1\n"
                              "[1/2] label of a, seed 3: score 0.5, 1.2 s\n"
                              "[2/2] label of b, seed 3: FAILED: diverged; "));
}

TEST(RunTasksTest, CheckpointsOfOtherTrainingsAreToldApart) {
  std::vector<std::string> fingerprints;
  FakeExperiment experiment;
  experiment.runs = {FakeRun("a", [&](const RunContext& context) {
    fingerprints.push_back(context.checkpoint.fingerprint);
    return RunOutcome();
  })};
  CommonSettings settings = Settings();
  settings.resume = false;
  const auto run = [&] { ASSERT_TRUE(RunAll(experiment, settings).ok()); };
  run();
  run();
  settings.seed = 1;
  run();
  settings.preset = Preset::kPaper;
  run();
  experiment.runs[0].config["rate"] = 0.2;
  run();
  experiment.runs[0].variant["name"] = "b";
  run();
  experiment.runs[0].dataset = "mnist";
  run();
  ASSERT_EQ(fingerprints.size(), 7u);
  EXPECT_EQ(fingerprints[0], fingerprints[1]);
  for (size_t i = 1; i < fingerprints.size(); ++i) {
    for (size_t j = 1; j < i; ++j) EXPECT_NE(fingerprints[i], fingerprints[j]);
  }
}

TEST(RunTasksTest, CheckpointsAreRemovedWhenTheRecordIsWrittenAndWell) {
  for (const bool well : {false, true}) {
    std::string path;
    FakeExperiment experiment;
    experiment.runs = {FakeRun("a", [&](const RunContext& context) {
      path = context.checkpoint.path;
      for (const char* further : {"", "-start1", "-start2"}) {
        EXPECT_TRUE(WriteFileAtomically(path + further, "half-way").ok());
      }
      RunOutcome outcome;
      if (!well) outcome.verdict = absl::FailedPreconditionError("broken");
      return outcome;
    })};
    CommonSettings settings = Settings();
    settings.resume = false;
    ASSERT_TRUE(RunAll(experiment, settings).ok());
    EXPECT_TRUE(Written("a").ok());
    ASSERT_FALSE(path.empty());
    for (const char* further : {"", "-start1", "-start2"}) {
      EXPECT_EQ(std::filesystem::exists(path + further), !well) << further;
    }
  }
}

TEST(RunTasksTest, SeedIsSetBeforeEveryRun) {
  std::vector<at::Tensor> draws;
  const auto draw = [&](const RunContext&) {
    draws.push_back(at::rand({4}));
    return RunOutcome();
  };
  FakeExperiment experiment;
  experiment.runs = {FakeRun("a", draw), FakeRun("b", draw)};
  CommonSettings settings = Settings();
  ASSERT_TRUE(RunAll(experiment, settings).ok());
  settings.seed = 1;
  ASSERT_TRUE(RunAll(experiment, settings).ok());
  // Alone: independent of the runs before it.
  experiment.runs = {FakeRun("c", draw)};
  ASSERT_TRUE(RunAll(experiment, settings).ok());
  ASSERT_EQ(draws.size(), 5u);
  EXPECT_TRUE(at::equal(draws[0], draws[1]));
  EXPECT_TRUE(at::equal(draws[2], draws[3]));
  EXPECT_FALSE(at::equal(draws[0], draws[2]));
  EXPECT_TRUE(at::equal(draws[4], draws[2]));
}

TEST(ResumeTest, OkRecordOfTheSameConfigurationIsKept) {
  int executions = 0;
  int others = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions), CountingRun("b", &others)};
  ASSERT_TRUE(RunAll(experiment, Settings()).ok());
  const std::string before = *ReadFile(RecordPath(Folder(), "fake", "a", 0));
  std::filesystem::remove(RecordPath(Folder(), "fake", "b", 0));
  const auto result = RunAll(experiment, Settings());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(executions, 1);
  EXPECT_EQ(others, 2);
  EXPECT_EQ(result->kept, 1);
  EXPECT_EQ(result->executed, 1);
  ASSERT_EQ(result->records.size(), 2u);
  EXPECT_EQ(result->records[0].slug, "a");
  EXPECT_EQ(result->records[0].metrics.at("score"), 0.5);
  EXPECT_EQ(result->records[1].slug, "b");
  EXPECT_EQ(*ReadFile(RecordPath(Folder(), "fake", "a", 0)), before);
}

// How often a run is executed when it has an ok record already and `change`
// was made to the file, the run or the settings.
int ExecutionsAfter(
    const std::function<void(FakeExperiment*, CommonSettings*)>& change) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  CommonSettings settings = Settings();
  EXPECT_TRUE(RunAll(experiment, settings).ok());
  executions = 0;
  change(&experiment, &settings);
  const auto result = RunAll(experiment, settings);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->executed, executions);
  EXPECT_EQ(result->kept, 1 - executions);
  const auto written = Written("a", settings.seed);
  EXPECT_TRUE(written.ok()) << written.status();
  EXPECT_TRUE(written->ok());
  EXPECT_EQ(written->config, experiment.runs[0].config);
  return executions;
}

TEST(ResumeTest, KeptWhenNothingChanged) {
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment*, CommonSettings*) {}), 0);
}

TEST(ResumeTest, RunsAgainWhenNotWanted) {
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment*, CommonSettings* settings) {
              settings->resume = false;
            }),
            1);
}

TEST(ResumeTest, RunsAgainWithAnotherConfiguration) {
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment* experiment, CommonSettings*) {
              experiment->runs[0].config["rate"] = 0.2;
            }),
            1);
}

TEST(ResumeTest, RunsAgainOnAnotherDataset) {
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment* experiment, CommonSettings*) {
              experiment->runs[0].dataset = "mnist";
            }),
            1);
}

TEST(ResumeTest, RunsAgainWithAnotherPresetOrSeed) {
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment*, CommonSettings* settings) {
              settings->preset = Preset::kPaper;
            }),
            1);
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment*, CommonSettings* settings) {
              settings->seed = 9;
            }),
            1);
}

TEST(ResumeTest, RunsAgainWhenItFailed) {
  EXPECT_EQ(ExecutionsAfter([](FakeExperiment*, CommonSettings*) {
              Record record = *Written("a");
              record.status = "failed";
              EXPECT_TRUE(WriteRecord(Folder(), record).ok());
            }),
            1);
}

// It may be of a newer program, or all that is left of a long run.
TEST(ResumeTest, WhatIsNoRecordIsNamedAndLeftAlone) {
  const std::string path = RecordPath(Folder(), "fake", "a", 0);
  for (const std::string content :
       {"", "{\"schema\": 1, \"exper", "{\"schema\": 2}"}) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
    for (const bool resume : {true, false}) {
      int at_its_place = 0;
      int other = 0;
      FakeExperiment experiment;
      experiment.runs = {CountingRun("a", &at_its_place),
                         CountingRun("b", &other)};
      CommonSettings settings = Settings();
      settings.resume = resume;
      std::filesystem::remove(RecordPath(Folder(), "fake", "b", 0));
      ::testing::internal::CaptureStderr();
      std::vector<Task> tasks;
      for (const experiments::Run& run : experiment.runs) {
        tasks.push_back({&experiment, run, settings.preset, settings.seed});
      }
      ProgressDisplay display(ProgressMode::kLines, stderr);
      const auto result = RunTasks(tasks, settings, display, nullptr);
      const std::string printed = ::testing::internal::GetCapturedStderr();
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(at_its_place, 0);
      EXPECT_EQ(other, 1);
      EXPECT_EQ(result->failed, 1);
      EXPECT_THAT(printed, HasSubstr(path));
      EXPECT_EQ(*ReadFile(path), content);
    }
  }
}

TEST(StopTest, BeforeARunKeepsTheEarlierRecords) {
  int first = 0;
  int second = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &first), CountingRun("b", &second)};
  const auto result =
      RunAll(experiment, Settings(), [&] { return first == 1; });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->interrupted);
  EXPECT_EQ(second, 0);
  EXPECT_EQ(result->executed, 1);
  ASSERT_EQ(result->records.size(), 1u);
  EXPECT_TRUE(Written("a")->ok());
  EXPECT_EQ(Written("b").status().code(), absl::StatusCode::kNotFound);
}

TEST(StopTest, CancelledRunLeavesItsCheckpointAndNoRecord) {
  int first = 0;
  int last = 0;
  std::string path;
  FakeExperiment experiment;
  experiment.runs = {
      CountingRun("a", &first),
      FakeRun("b",
              [&](const RunContext& context) -> absl::StatusOr<RunOutcome> {
                path = context.checkpoint.path;
                EXPECT_TRUE(WriteFileAtomically(path, "half-way").ok());
                return absl::CancelledError("stopped at step 5");
              }),
      CountingRun("c", &last)};
  const auto result = RunAll(experiment, Settings());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->interrupted);
  EXPECT_EQ(last, 0);
  EXPECT_EQ(result->executed, 1);
  EXPECT_EQ(result->failed, 0);
  ASSERT_EQ(result->records.size(), 1u);
  EXPECT_TRUE(Written("a")->ok());
  EXPECT_EQ(Written("b").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*ReadFile(path), "half-way");
}

TEST(StopTest, AfterTheLastRunIsNoInterruption) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  const auto result =
      RunAll(experiment, Settings(), [&] { return executions == 1; });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->interrupted);
  EXPECT_EQ(result->executed, 1);
}

std::string LockPath(const std::string& slug) {
  return Folder() + "/locks/fake/" + slug + "-s0.lock";
}

TEST(LockTest, IsHeldDuringTheRunAndGoneAfterIt) {
  FakeExperiment experiment;
  bool free = true;
  experiment.runs = {FakeRun("a", [&](const RunContext&) {
    free = RunLock::TryTake(LockPath("a"))->has_value();
    return RunOutcome();
  })};
  ASSERT_TRUE(RunAll(experiment, Settings()).ok());
  EXPECT_FALSE(free);
  EXPECT_THAT(FilesBelow(Folder()), ElementsAre("a-s0.json"));
}

TEST(LockTest, ARunOfAnotherProcessIsSkippedOrWaitedFor) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  const std::vector<Task> tasks = {
      {&experiment, experiment.runs[0], Preset::kQuick, 0}};
  ProgressDisplay display(ProgressMode::kNone, stderr);
  auto lock = RunLock::TryTake(LockPath("a"));
  ASSERT_TRUE(lock.ok() && lock->has_value());
  auto skipped =
      RunTasks(tasks, Settings(), display, nullptr, LockPolicy::kSkip);
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_EQ(skipped->locked, 1);
  EXPECT_EQ(executions, 0);
  EXPECT_THAT(skipped->records, IsEmpty());

  // A stop ends the waiting.
  int asked = 0;
  const auto stopped =
      RunTasks(tasks, Settings(), display, [&] { return ++asked > 1; });
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_TRUE(stopped->interrupted);

  // The other process finishes it while we wait.
  asked = 0;
  const auto waited = RunTasks(tasks, Settings(), display, [&] {
    if (++asked == 2) {
      Record record;
      record.experiment = "fake";
      record.slug = "a";
      record.variant = experiment.runs[0].variant;
      record.config = experiment.runs[0].config;
      record.preset = "quick";
      EXPECT_TRUE(WriteRecord(Folder(), record).ok());
      lock->reset();
    }
    return false;
  });
  ASSERT_TRUE(waited.ok()) << waited.status();
  EXPECT_EQ(waited->kept, 1);
  EXPECT_EQ(executions, 0);
}

TEST(FullDiskTest, CheckpointThatCannotBeWrittenStopsThePlan) {
  for (const absl::Status& error :
       {absl::ResourceExhaustedError("no space left"),
        absl::PermissionDeniedError("read-only")}) {
    int first = 0;
    int last = 0;
    FakeExperiment experiment;
    experiment.runs = {CountingRun("a", &first), FailingRun("b", error),
                       CountingRun("c", &last)};
    CommonSettings settings = Settings();
    settings.resume = false;
    const auto result = RunAll(experiment, settings);
    EXPECT_TRUE(
        FailsWith(result, error.code(), {std::string(error.message())}));
    EXPECT_EQ(first, 1);
    EXPECT_EQ(last, 0);
    EXPECT_THAT(FilesBelow(Folder()), ElementsAre("a-s0.json"));
    EXPECT_TRUE(Written("a")->ok());
  }
}

// No file may grow beyond `bytes` until the end of the scope.
class ScopedFileLimit {
 public:
  ScopedFileLimit() {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~ScopedFileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  ScopedFileLimit(const ScopedFileLimit&) = delete;
  ScopedFileLimit& operator=(const ScopedFileLimit&) = delete;

  void Set(rlim_t bytes) {
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST(FullDiskTest, RecordThatCannotBeWrittenStopsThePlan) {
  int first = 0;
  int last = 0;
  FakeExperiment experiment;
  absl::StatusOr<RunnerResult> result = absl::UnknownError("not run");
  const std::string path = RecordPath(Folder(), "fake", "b", 0);
  {
    ScopedFileLimit limit;
    experiment.runs = {CountingRun("a", &first),
                       FakeRun("b",
                               [&](const auto&) {
                                 limit.Set(16);
                                 return RunOutcome();
                               }),
                       CountingRun("c", &last)};
    result = RunAll(experiment, Settings());
  }
  EXPECT_TRUE(
      FailsWith(result, absl::StatusCode::kResourceExhausted, {path, "space"}));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(last, 0);
  EXPECT_THAT(FilesBelow(Folder()), ElementsAre("a-s0.json"));
  EXPECT_TRUE(Written("a")->ok());
}

TEST(ResultsDirTest, OneThatCannotBeUsedIsNamedBeforeAnythingRuns) {
  ASSERT_TRUE(WriteFileAtomically(Folder() + "/file", "in the way").ok());
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  CommonSettings settings = Settings();
  for (const char* name : {"/file", "/file/below"}) {
    settings.results_dir = Folder() + name;
    EXPECT_TRUE(FailsWith(RunAll(experiment, settings),
                          absl::StatusCode::kInvalidArgument,
                          {"--results_dir=" + settings.results_dir}));
  }
  EXPECT_EQ(executions, 0);
  EXPECT_EQ(*ReadFile(Folder() + "/file"), "in the way");
}

TEST(ResultsDirTest, IsMadeAndLeftClean) {
  const std::string folder = Folder() + "/new/results";
  EXPECT_TRUE(CheckResultsDir(folder).ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder));
  EXPECT_THAT(FilesBelow(folder), IsEmpty());
}

TEST(ResultsDirTest, DeviceThatIsUnknownRunsNothing) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  CommonSettings settings = Settings();
  settings.device = "gpu";
  EXPECT_TRUE(FailsWith(RunAll(experiment, settings),
                        absl::StatusCode::kInvalidArgument, {"'gpu'"}));
  EXPECT_EQ(executions, 0);
}

TEST(Notes, AreThoseOfAllRunsEachOnce) {
  const FakeExperiment experiment;
  std::vector<Task> tasks;
  for (const std::string slug : {"first", "second", "third"}) {
    tasks.push_back(
        {&experiment, FakeRun(slug, nullptr), Preset::kSmoke, /*seed=*/0});
    tasks.back().run.notes = {"the data are a part"};
  }
  tasks[1].run.notes = {};
  tasks[2].run.notes.push_back("a note of the third");
  EXPECT_THAT(NotesOf(tasks),
              ElementsAre("the data are a part", "a note of the third"));
  EXPECT_THAT(NotesOf({}), IsEmpty());
}

}  // namespace
}  // namespace lipschitz::experiments
