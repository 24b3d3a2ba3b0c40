#include "experiments/common/main.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/experiments/common/fake_experiment.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

std::string Folder() {
  return ::testing::TempDir() + "/main_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

CommonSettings Settings() {
  CommonSettings settings;
  settings.results_dir = Folder();
  settings.threads = 1;
  settings.device = "cpu";
  settings.progress = ProgressMode::kLines;
  return settings;
}

void WriteFakeRecord(const std::string& slug, const std::string& preset,
                     bool customised = false) {
  Record record;
  record.experiment = "fake";
  record.slug = slug;
  record.preset = preset;
  if (customised) record.config["customised"] = true;
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
}

TEST(ReportErrorTest, BadInputIsTwoEverythingElseOne) {
  CaptureStderr();
  EXPECT_EQ(ReportError(absl::InvalidArgumentError("bad")), 2);
  EXPECT_EQ(ReportError(absl::NotFoundError("absent")), 2);
  EXPECT_EQ(ReportError(absl::InternalError("inner")), 1);
  EXPECT_EQ(ReportError(absl::ResourceExhaustedError("full")), 1);
  EXPECT_EQ(ReportError(absl::PermissionDeniedError("denied")), 1);
  EXPECT_EQ(ReportError(absl::AbortedError("diverged")), 1);
  EXPECT_EQ(GetCapturedStderr(),
            "ERROR: bad\nERROR: absent\nERROR: inner\nERROR: full\n"
            "ERROR: denied\nERROR: diverged\n");
}

TEST(WriteReportFromRecordsTest, EveryPresetHasAReportOfItsOwn) {
  WriteFakeRecord("b", "quick");
  WriteFakeRecord("a", "quick");
  WriteFakeRecord("a-paper", "paper");
  WriteFakeRecord("a-smoke", "smoke");
  const FakeExperiment experiment;
  ASSERT_TRUE(WriteReportFromRecords(experiment, Folder()).ok());
  std::vector<std::string> stems;
  for (const auto& report : experiment.reports) {
    EXPECT_EQ(report.results_dir, Folder());
    stems.push_back(report.stem);
    if (report.stem == "fake") {
      EXPECT_THAT(report.slugs, ElementsAre("a", "b"));
    } else if (report.stem == "fake_paper") {
      EXPECT_THAT(report.slugs, ElementsAre("a-paper"));
    } else {
      EXPECT_THAT(report.slugs, ElementsAre("a-smoke"));
    }
  }
  EXPECT_THAT(stems, ::testing::UnorderedElementsAre("fake", "fake_paper",
                                                     "fake_smoke"));
}

TEST(WriteReportFromRecordsTest, CustomisedRecordsAreLeftOut) {
  WriteFakeRecord("a", "quick");
  WriteFakeRecord("a-x123", "quick", /*customised=*/true);
  WriteFakeRecord("a-paper-x123", "paper", /*customised=*/true);
  const FakeExperiment experiment;
  ASSERT_TRUE(WriteReportFromRecords(experiment, Folder()).ok());
  ASSERT_EQ(experiment.reports.size(), 1u);
  EXPECT_EQ(experiment.reports[0].stem, "fake");
  EXPECT_THAT(experiment.reports[0].slugs, ElementsAre("a"));
}

TEST(WriteReportFromRecordsTest, WithoutRecordsThereIsNoReport) {
  const FakeExperiment experiment;
  EXPECT_TRUE(WriteReportFromRecords(experiment, Folder()).ok());
  EXPECT_THAT(experiment.reports, IsEmpty());
}

TEST(WriteReportFromRecordsTest, RecordsThatCannotBeUsedAreNamed) {
  WriteFakeRecord("a", "quick");
  const std::string broken = Folder() + "/records/fake/broken-s0.json";
  ASSERT_TRUE(WriteFileAtomically(broken, "{").ok());
  const FakeExperiment experiment;
  CaptureStderr();
  const absl::Status status = WriteReportFromRecords(experiment, Folder());
  EXPECT_THAT(GetCapturedStderr(), HasSubstr(broken));
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(experiment.reports.size(), 1u);
  EXPECT_THAT(experiment.reports[0].slugs, ElementsAre("a"));
}

TEST(WriteReportFromRecordsTest, ErrorNamesTheExperiment) {
  WriteFakeRecord("a", "quick");
  FakeExperiment experiment;
  experiment.report_status = absl::NotFoundError("no gnuplot");
  EXPECT_TRUE(FailsWith(WriteReportFromRecords(experiment, Folder()),
                        absl::StatusCode::kNotFound, {"fake", "no gnuplot"}));
}

TEST(WriteReportFromRecordsTest, RecordThatLacksACurveIsNamed) {
  for (const char* slug : {"a", "b", "c"}) {
    Record record;
    record.experiment = "fake";
    record.slug = slug;
    record.preset = "quick";
    record.seed = 7;
    if (record.slug != "b") record.curves["critic"] = Json::array();
    ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  }
  FakeExperiment experiment;
  experiment.curve = "critic";
  EXPECT_TRUE(FailsWith(
      WriteReportFromRecords(experiment, Folder()), absl::StatusCode::kInternal,
      {"fake: ", Folder() + "/records/fake/b-s7.json", "critic"}));
  // The reports of single records are made somewhere else, and are gone.
  ASSERT_EQ(experiment.reports.size(), 3u);
  EXPECT_EQ(experiment.reports[0].results_dir, Folder());
  for (size_t i = 1; i < experiment.reports.size(); ++i) {
    EXPECT_NE(experiment.reports[i].results_dir, Folder());
    EXPECT_FALSE(std::filesystem::exists(experiment.reports[i].results_dir));
  }
}

// Which one it is cannot be told where each is good alone.
TEST(WriteReportFromRecordsTest, RecordsThatDoNotGoTogetherAreAnError) {
  WriteFakeRecord("a", "quick");
  WriteFakeRecord("b", "quick");
  FakeExperiment experiment;
  experiment.most_records = 1;
  EXPECT_TRUE(FailsWith(WriteReportFromRecords(experiment, Folder()),
                        absl::StatusCode::kInternal,
                        {"fake: ", "one of its 2 records", "too many"}));
}

TEST(RunExperimentTest, DoneIsZeroAndOnlyTheTableIsOnStandardOutput) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions),
                     CountingRun("b", &executions)};
  CaptureStdout();
  CaptureStderr();
  const int status = RunExperiment(experiment, Settings());
  const std::string output = GetCapturedStdout();
  const std::string errors = GetCapturedStderr();
  EXPECT_EQ(status, 0) << errors;
  EXPECT_EQ(executions, 2);
  EXPECT_EQ(output,
            "### A fake table\n\n"
            "| slug |\n"
            "| ---- |\n"
            "| a    |\n"
            "| b    |\n");
  EXPECT_THAT(errors, HasSubstr("[2/2] label of b, seed 0"));
  ASSERT_EQ(experiment.reports.size(), 1u);
  EXPECT_THAT(experiment.reports[0].slugs, ElementsAre("a", "b"));
}

TEST(RunExperimentTest, FailedRunIsOneAndTheReportIsStillWritten) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {FailingRun("a", absl::AbortedError("diverged at step 7")),
                     CountingRun("b", &executions)};
  CaptureStdout();
  CaptureStderr();
  const int status = RunExperiment(experiment, Settings());
  EXPECT_THAT(GetCapturedStdout(), HasSubstr("| b    |"));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("FAILED: a: diverged at step 7"));
  EXPECT_EQ(status, 1);
  EXPECT_EQ(experiment.reports.size(), 1u);
}

TEST(RunExperimentTest, PlanThatMakesNoSenseIsTwo) {
  FakeExperiment experiment;
  experiment.plan_status = absl::InvalidArgumentError("--steps must be > 0");
  CaptureStderr();
  EXPECT_EQ(RunExperiment(experiment, Settings()), 2);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("ERROR: --steps must be > 0"));
}

TEST(RunExperimentTest, ResultsFolderThatCannotBeUsedIsTwo) {
  ASSERT_TRUE(WriteFileAtomically(Folder(), "a file").ok());
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  CaptureStderr();
  EXPECT_EQ(RunExperiment(experiment, Settings()), 2);
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("--results_dir=" + Folder()));
  EXPECT_EQ(executions, 0);
}

TEST(RunExperimentTest, ReportThatFailsIsAnError) {
  int executions = 0;
  FakeExperiment experiment;
  experiment.runs = {CountingRun("a", &executions)};
  experiment.report_status = absl::InternalError("gnuplot failed");
  CaptureStdout();
  CaptureStderr();
  EXPECT_EQ(RunExperiment(experiment, Settings()), 1);
  EXPECT_THAT(GetCapturedStdout(), HasSubstr("A fake table"));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("gnuplot failed"));
}

// Interrupts itself in its second run; what a signal sets is set for good, so
// in a process of its own.
[[noreturn]] void RunAndInterrupt(int signal) {
  static int executions = 0;
  static FakeExperiment experiment;
  experiment.runs = {
      CountingRun("a", &executions),
      FakeRun("b",
              [=](const RunContext& context) -> absl::StatusOr<RunOutcome> {
                std::raise(signal);
                if (!context.stop_requested()) std::abort();
                return absl::CancelledError("stopped");
              }),
      CountingRun("c", &executions)};
  const int status = RunExperiment(experiment, Settings());
  if (executions != 1 || !experiment.reports.empty()) std::abort();
  std::exit(status);
}

class InterruptTest : public ::testing::Test {
 protected:
  InterruptTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(InterruptTest, CtrlCFinishesInOrderAndSaysHowToGoOn) {
  EXPECT_EXIT(RunAndInterrupt(SIGINT), ExitedWithCode(130),
              "stopped after 1 of 3 runs");
  EXPECT_TRUE(ReadRecord(RecordPath(Folder(), "fake", "a", 0)).ok());
}

TEST_F(InterruptTest, TerminationDoesToo) {
  EXPECT_EXIT(RunAndInterrupt(SIGTERM), ExitedWithCode(130),
              "stopped after 1 of 3 runs");
  EXPECT_TRUE(ReadRecord(RecordPath(Folder(), "fake", "a", 0)).ok());
}

TEST_F(InterruptTest, SecondOneEndsTheProgramAtOnce) {
  EXPECT_EXIT(
      {
        StopOnInterrupt();
        std::raise(SIGINT);
        std::raise(SIGINT);
        std::exit(0);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace lipschitz::experiments
