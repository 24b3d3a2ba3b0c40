#include "experiments/reproduction/display.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include "experiments/common/settings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

PlanState State() {
  PlanState state;
  state.total = 30;
  state.ended = 4;
  state.failed = 1;
  state.running = {{"squares/relu seed 0", 0.25}, {"squares/maxmin seed 0", 0}};
  state.seconds_left = 250;
  return state;
}

class PlanDisplayTest : public ::testing::Test {
 protected:
  ~PlanDisplayTest() override { std::fclose(stream_); }

  std::string Text() {
    std::rewind(stream_);
    std::string text;
    for (int c = std::fgetc(stream_); c != EOF; c = std::fgetc(stream_)) {
      text.push_back(static_cast<char>(c));
    }
    return text;
  }

  std::FILE* const stream_ = std::tmpfile();
};

TEST(DescribeTest, SaysWhatIsDoneRunningAndLeft) {
  EXPECT_EQ(Describe(State()),
            "3 of 30 done, 1 failed, 2 running, 4 min 10 s left");
  PlanState state;
  state.total = 2;
  EXPECT_EQ(Describe(state), "0 of 2 done, 0 running, ? s left");
}

TEST_F(PlanDisplayTest, LinesHaveEveryRunAndNoBar) {
  PlanDisplay display(ProgressMode::kAuto, stream_);
  display.Show(State());
  display.RunEnded(State(), "squares/relu seed 1", "estimate 35, 2.0 s");
  display.Notice("a word");
  display.Clear();
  EXPECT_EQ(Text(), "[4/30] squares/relu seed 1: estimate 35, 2.0 s\na word\n");
}

TEST_F(PlanDisplayTest, ABarFitsOnALineAndIsTakenAway) {
  PlanDisplay display(ProgressMode::kBar, stream_);
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  display.Show(State());
  const std::string bar = Text();
  EXPECT_THAT(bar, StartsWith("\r\033[K[###....................."));
  EXPECT_THAT(bar, HasSubstr("] 3 of 30 done"));
  EXPECT_LT(bar.size(), 80u + 4u);
  display.RunEnded(State(), "a", "b");
  EXPECT_THAT(Text(), HasSubstr("\r\033[K[4/30] a: b\n"));
}

TEST_F(PlanDisplayTest, NoneSaysOnlyWhatMatters) {
  PlanDisplay display(ProgressMode::kNone, stream_);
  display.Show(State());
  display.RunEnded(State(), "a", "b");
  display.Notice("a word");
  EXPECT_EQ(Text(), "a word\n");
}

}  // namespace
}  // namespace lipschitz::experiments
