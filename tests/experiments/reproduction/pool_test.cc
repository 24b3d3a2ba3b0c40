#include "experiments/reproduction/pool.h"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "experiments/common/settings.h"
#include "experiments/reproduction/display.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Workers are shell scripts here: each reads names in $name and answers.
class PoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    folder_ = ::testing::TempDir() + "/pool_test/" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    std::filesystem::remove(folder_ + "/log");
  }

  // `answer` is a script; it runs in the test's folder.
  absl::StatusOr<PoolResult> Run(
      const std::vector<std::string>& names, int jobs,
      const std::string& answer,
      const std::function<bool()>& stop_requested = nullptr) {
    std::vector<PoolRun> runs;
    for (const std::string& name : names) {
      runs.push_back({name, "label of " + name, 1.0});
    }
    PoolOptions options;
    options.jobs = jobs;
    options.command = {
        "/bin/sh", "-c",
        "cd " + folder_ +
            "\n"
            "done_with() { echo '{\"end\":'$1',\"summary\":\"'$2'\"}'; }\n"
            "while read name; do echo $name >> log\n" +
            answer + "\ndone"};
    std::FILE* const stream = std::tmpfile();
    PlanDisplay display(ProgressMode::kLines, stream);
    const auto result = RunPool(runs, options, display, stop_requested);
    std::rewind(stream);
    text_.clear();
    for (int c = std::fgetc(stream); c != EOF; c = std::fgetc(stream)) {
      text_.push_back(static_cast<char>(c));
    }
    std::fclose(stream);
    return result;
  }

  // Names in the order in which workers took them.
  std::vector<std::string> Log() const {
    return absl::StrSplit(ReadFile(folder_ + "/log").value_or(""), '\n',
                          absl::SkipEmpty());
  }

  std::string folder_;
  // What was shown.
  std::string text_;
};

TEST_F(PoolTest, HandsOutEveryRunOnceInOrder) {
  const auto result = Run({"a", "b", "c", "d"}, 1, "done_with 0 fine");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 4);
  EXPECT_FALSE(result->interrupted);
  EXPECT_THAT(result->failures, IsEmpty());
  EXPECT_THAT(Log(), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(text_, HasSubstr("[4/4] label of d: fine\n"));
}

TEST_F(PoolTest, NothingToDoIsDoneAtOnce) {
  const auto result = Run({}, 3, "done_with 0 fine");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 0);
  EXPECT_THAT(Log(), IsEmpty());
}

// Every worker waits until both are there: one alone would wait for ever.
TEST_F(PoolTest, RunsTogether) {
  const auto result = Run({"a", "b"}, 2,
                          "while [ $(wc -l < log) -lt 2 ]; do sleep 0.01; "
                          "done; done_with 0 fine");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 2);
  EXPECT_THAT(Log(), UnorderedElementsAre("a", "b"));
}

TEST_F(PoolTest, AFailedRunDoesNotStopTheOthers) {
  const auto result =
      Run({"a", "bad", "c"}, 1,
          "if [ $name = bad ]; then done_with 1 'FAILED: diverged'; "
          "else done_with 0 fine; fi");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 2);
  ASSERT_EQ(result->failures.size(), 1u);
  EXPECT_EQ(result->failures[0].label, "label of bad");
  EXPECT_EQ(result->failures[0].message, "diverged");
}

TEST_F(PoolTest, ARunThatTakesItsProcessWithItDoesNotStopTheOthers) {
  const auto result =
      Run({"a", "bad", "c", "d"}, 1,
          "if [ $name = bad ]; then kill -9 $$; fi; done_with 0 fine");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 3);
  ASSERT_EQ(result->failures.size(), 1u);
  EXPECT_THAT(result->failures[0].message, HasSubstr("signal 9"));
  EXPECT_THAT(Log(), ElementsAre("a", "bad", "c", "d"));
}

TEST_F(PoolTest, WhatAnotherProcessRunsIsTriedAgainAfterTheOthers) {
  // "a" is locked twice, then found done.
  const auto result =
      Run({"a", "b", "c"}, 1,
          "if [ $name = a ]; then if [ $(grep -c a log) -lt 3 ]; then "
          "done_with 3; else done_with 2 kept; fi; else done_with 0 fine; fi");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->done, 2);
  EXPECT_EQ(result->kept, 1);
  EXPECT_THAT(Log(), ElementsAre("a", "b", "c", "a", "a"));
  const std::string notice = "label of a: another process runs it";
  const size_t first = text_.find(notice);
  ASSERT_NE(first, std::string::npos) << text_;
  EXPECT_EQ(text_.find(notice, first + 1), std::string::npos) << text_;
}

TEST_F(PoolTest, AStopIsHandedOnAndWaitedFor) {
  int asked = 0;
  const auto result =
      Run({"a", "b", "c"}, 2,
          "trap 'echo stopped $name >> log; done_with 4; exit 130' TERM\n"
          "while true; do sleep 0.01; done",
          [&] { return Log().size() >= 2 && ++asked >= 1; });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->interrupted);
  EXPECT_EQ(result->done, 0);
  EXPECT_THAT(result->failures, IsEmpty());
  EXPECT_THAT(Log(), UnorderedElementsAre("a", "b", "stopped a", "stopped b"));
  EXPECT_THAT(text_, HasSubstr("2 runs write checkpoints"));
}

TEST_F(PoolTest, ARunWhoseProcessAloneWasStoppedGoesOnInAnother) {
  const auto result =
      Run({"a", "b"}, 1,
          "if [ $(wc -l < log) -lt 2 ]; then done_with 4; exit 130; fi\n"
          "done_with 0 fine");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->interrupted);
  EXPECT_EQ(result->done, 2);
  EXPECT_THAT(Log(), ElementsAre("a", "a", "b"));
}

TEST_F(PoolTest, AnErrorThatEveryRunWouldMeetEndsThePlan) {
  const auto result =
      Run({"a", "b", "c"}, 1,
          "echo '{\"error\":8,\"message\":\"no space left\"}'; exit 1");
  EXPECT_TRUE(FailsWith(result, absl::StatusCode::kResourceExhausted,
                        {"no space left"}));
  EXPECT_THAT(Log(), ElementsAre("a"));
}

TEST_F(PoolTest, AWorkerThatTalksNonsenseEndsThePlan) {
  EXPECT_TRUE(FailsWith(Run({"a", "b"}, 1, "echo what"),
                        absl::StatusCode::kInvalidArgument, {"'what'"}));
}

TEST_F(PoolTest, NoticesAreShownWithTheirRun) {
  ASSERT_TRUE(
      Run({"a"}, 1, "echo '{\"notice\":\"resumed\"}'; done_with 0 fine").ok());
  EXPECT_THAT(text_, HasSubstr("label of a: resumed\n"));
}

}  // namespace
}  // namespace lipschitz::experiments
