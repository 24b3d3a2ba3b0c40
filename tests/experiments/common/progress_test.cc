#include "experiments/common/progress.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "experiments/common/settings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What is written to stream() can be read.
class Screen {
 public:
  Screen() : stream_(std::tmpfile()) {}
  ~Screen() { std::fclose(stream_); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  std::FILE* stream() { return stream_; }

  std::string Text() {
    std::fflush(stream_);
    std::rewind(stream_);
    std::string text;
    for (int c = std::fgetc(stream_); c != EOF; c = std::fgetc(stream_)) {
      text.push_back(static_cast<char>(c));
    }
    std::fseek(stream_, 0, SEEK_END);
    return text;
  }

 private:
  std::FILE* stream_;
};

// Longer than a bar waits between two looks.
void WaitForTheBar() {
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
}

TEST(FormatDurationTest, ShowsTheTwoLargestUnits) {
  EXPECT_EQ(FormatDuration(0), "0 s");
  EXPECT_EQ(FormatDuration(0.4), "0 s");
  EXPECT_EQ(FormatDuration(12), "12 s");
  EXPECT_EQ(FormatDuration(59.4), "59 s");
  EXPECT_EQ(FormatDuration(60), "1 min 00 s");
  EXPECT_EQ(FormatDuration(200), "3 min 20 s");
  EXPECT_EQ(FormatDuration(3599.4), "59 min 59 s");
  EXPECT_EQ(FormatDuration(3600), "1 h 00 min");
  EXPECT_EQ(FormatDuration(3720), "1 h 02 min");
  EXPECT_EQ(FormatDuration(360000), "100 h 00 min");
}

TEST(FormatDurationTest, RoundsUpToTheNextUnit) {
  EXPECT_EQ(FormatDuration(59.6), "1 min 00 s");
  EXPECT_EQ(FormatDuration(3599.6), "1 h 00 min");
}

TEST(FormatDurationTest, NegativeIsZero) {
  EXPECT_EQ(FormatDuration(-5), "0 s");
}

TEST(ProgressLinesTest, QuickRunLeavesOneLine) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kLines, screen.stream());
  display.BeginRun(2, 5, "maxmin, seed 0");
  for (int i = 1; i <= 100; ++i) display.Step({i, 100, 0, 0.001 * i, 0.5});
  EXPECT_EQ(screen.Text(), "");
  display.EndRun("W1 1.0, 0.1 s");
  EXPECT_EQ(screen.Text(), "[2/5] maxmin, seed 0: W1 1.0, 0.1 s\n");
}

// No run began: the last line is as old as the clock, older than ten seconds.
TEST(ProgressLinesTest, OneLineIsDueAndNoSecondRightAfterIt) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kLines, screen.stream());
  for (int i = 1; i <= 100; ++i) display.Step({i, 100, 0, 2.0 * i, 0.25});
  EXPECT_EQ(screen.Text(),
            "[0/0] : step 1/100, 0.5 steps/s, 3 min 18 s left, loss 0.25\n");
}

TEST(ProgressLinesTest, AFileGetsLinesByItself) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kAuto, screen.stream());
  display.BeginRun(1, 1, "run");
  WaitForTheBar();
  display.Step({1, 2, 0, 0.3, 0.5});
  display.EndRun("done");
  EXPECT_EQ(screen.Text(), "[1/1] run: done\n");
}

TEST(ProgressBarTest, IsDrawnOverAndClearedInTheEnd) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kBar, screen.stream());
  display.BeginRun(1, 2, "run");
  display.Step({1, 4, 0, 1.0, 0.5});
  EXPECT_EQ(screen.Text(), "");
  WaitForTheBar();
  display.Step({1, 4, 0, 1.0, 0.5});
  const std::string bar = screen.Text();
  EXPECT_THAT(bar, StartsWith("\r\033[K[1/2] run [######..................]"
                              " step 1/4"));
  EXPECT_THAT(bar, Not(HasSubstr("\n")));
  // Not again so soon.
  display.Step({2, 4, 0, 2.0, 0.5});
  EXPECT_EQ(screen.Text(), bar);
  display.EndRun("done");
  EXPECT_EQ(screen.Text(), bar + "\r\033[K[1/2] run: done\n");
}

TEST(ProgressBarTest, IsFullAtTheEnd) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kBar, screen.stream());
  display.BeginRun(1, 1, "run");
  WaitForTheBar();
  display.Step({4, 4, 0, 1.0, 0.5});
  EXPECT_THAT(screen.Text(),
              AllOf(HasSubstr("[########################] step 4/4"),
                    HasSubstr(", 0 s left")));
}

TEST(ProgressBarTest, NoticeClearsTheBarOnce) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kBar, screen.stream());
  display.BeginRun(1, 1, "run");
  WaitForTheBar();
  display.Step({1, 4, 0, 1.0, 0.5});
  const std::string bar = screen.Text();
  display.Notice("resumed");
  display.Notice("again");
  EXPECT_EQ(screen.Text(), bar + "\r\033[Kresumed\nagain\n");
}

// 100 of the 300 steps were done before this process: 10 steps in 5 s.
TEST(ProgressBarTest, RateAndTimeLeftAreThoseOfThisProcess) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kBar, screen.stream());
  display.BeginRun(1, 1, "run");
  WaitForTheBar();
  display.Step({110, 300, 100, 5.0, 0.125});
  EXPECT_THAT(
      screen.Text(),
      EndsWith("step 110/300, 2.0 steps/s, 1 min 35 s left, loss 0.125"));
}

// A line that the terminal breaks could not be drawn over.
TEST(ProgressBarTest, IsLeftOutWhereTheLineWouldBeTooLong) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kBar, screen.stream());
  display.BeginRun(1, 1, "mnist l2 stiefel_maxmin, seed 0");
  WaitForTheBar();
  display.Step({1, 4, 0, 1.0, 0.5});
  EXPECT_EQ(screen.Text(),
            "\r\033[K[1/1] mnist l2 stiefel_maxmin, se...: step 1/4, 1.0 "
            "steps/s, 3 s left, loss 0.5");
}

TEST(ProgressNoneTest, ShowsNoticesOnly) {
  Screen screen;
  ProgressDisplay display(ProgressMode::kNone, screen.stream());
  display.Step({1, 4, 0, 1.0, 0.5});
  display.BeginRun(1, 1, "run");
  WaitForTheBar();
  display.Step({1, 4, 0, 1.0, 0.5});
  display.EndRun("done");
  EXPECT_EQ(screen.Text(), "");
  display.Notice("a sentence");
  EXPECT_EQ(screen.Text(), "a sentence\n");
}

}  // namespace
}  // namespace lipschitz::experiments
