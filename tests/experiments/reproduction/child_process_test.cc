#include "experiments/reproduction/child_process.h"

#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ChildProcess Shell(const std::string& script) {
  auto process = ChildProcess::Start({"/bin/sh", "-c", script});
  EXPECT_TRUE(process.ok()) << process.status();
  return *std::move(process);
}

std::vector<std::string> AllLines(ChildProcess* process) {
  std::vector<std::string> lines;
  while (process->ReceiveLines(&lines)) {
  }
  return lines;
}

TEST(ChildProcess, AnswersLineByLine) {
  ChildProcess process =
      Shell("while read line; do echo \"<$line>\"; done; exit 3");
  ASSERT_TRUE(process.SendLine("one").ok());
  std::vector<std::string> lines;
  ASSERT_TRUE(process.ReceiveLines(&lines));
  EXPECT_THAT(lines, ElementsAre("<one>"));
  ASSERT_TRUE(process.SendLine("two and three").ok());
  process.CloseInput();
  EXPECT_THAT(AllLines(&process), ElementsAre("<two and three>"));
  EXPECT_EQ(process.Wait(), "exit status 3");
}

TEST(ChildProcess, LinesLongerThanABufferArriveWholeAndHalfOnesDoNot) {
  ChildProcess process = Shell("cat; printf half");
  const std::string line(20000, 'x');
  ASSERT_TRUE(process.SendLine(line).ok());
  process.CloseInput();
  EXPECT_THAT(AllLines(&process), ElementsAre(line));
  EXPECT_EQ(process.Wait(), "exit status 0");
}

TEST(ChildProcess, SaysWhichSignalEndedIt) {
  ChildProcess process = Shell("read line");
  process.Signal(SIGKILL);
  EXPECT_THAT(AllLines(&process), IsEmpty());
  EXPECT_EQ(process.Wait(), "signal 9 (Killed)");
}

TEST(ChildProcess, DoesNotOutliveTheObject) {
  pid_t number = 0;
  {
    ChildProcess process = Shell("echo $$; exec sleep 1000");
    std::vector<std::string> lines;
    ASSERT_TRUE(process.ReceiveLines(&lines));
    number = std::stoi(lines.at(0));
    const ChildProcess moved = std::move(process);
    EXPECT_EQ(kill(number, 0), 0);
  }
  EXPECT_EQ(kill(number, 0), -1);
}

TEST(ChildProcess, DoesNotKeepTheInputOfAnotherOpen) {
  ChildProcess first = Shell("read line; echo end");
  ChildProcess second = Shell("exec sleep 1000");
  first.CloseInput();
  EXPECT_THAT(AllLines(&first), ElementsAre("end"));
}

TEST(ChildProcess, WritingToOneThatHasEndedIsAnError) {
  std::signal(SIGPIPE, SIG_IGN);
  ChildProcess process = Shell("exit 0");
  EXPECT_EQ(process.Wait(), "exit status 0");
  EXPECT_EQ(process.SendLine("hello").code(), absl::StatusCode::kUnavailable);
}

TEST(ChildProcess, AProgramThatIsNotThereIsNamed) {
  EXPECT_TRUE(testing::FailsWith(ChildProcess::Start({"/no/such/program"}),
                                 absl::StatusCode::kUnavailable,
                                 {"/no/such/program"}));
}

}  // namespace
}  // namespace lipschitz::experiments
