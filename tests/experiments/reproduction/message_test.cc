#include "experiments/reproduction/message.h"

#include <cmath>
#include <limits>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

// What arrives of a message.
template <typename T>
T Sent(const T& message) {
  const std::string line = ToLine(message);
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  const auto received = FromLine(line);
  EXPECT_TRUE(received.ok()) << received.status();
  if (!received.ok()) return T();
  EXPECT_TRUE(std::holds_alternative<T>(*received)) << line;
  return std::get<T>(*received);
}

TEST(Message, ArrivesAsItWasSent) {
  const TrainingProgress progress =
      Sent(TrainingProgress{7, 10, 2, 1.5, -0.25});
  EXPECT_EQ(progress.step, 7);
  EXPECT_EQ(progress.steps, 10);
  EXPECT_EQ(progress.first_step, 2);
  EXPECT_EQ(progress.seconds, 1.5);
  EXPECT_EQ(progress.loss, -0.25);
  EXPECT_EQ(Sent(Notice{"resumed \"here\"\nand on"}).text,
            "resumed \"here\"\nand on");
  for (const RunEnd end : {RunEnd::kDone, RunEnd::kFailed, RunEnd::kKept,
                           RunEnd::kLocked, RunEnd::kStopped}) {
    const RunReport report = Sent(RunReport{end, "W1 0.5 ± 0.1"});
    EXPECT_EQ(report.end, end);
    EXPECT_EQ(report.summary, "W1 0.5 ± 0.1");
  }
  EXPECT_EQ(Sent(absl::ResourceExhaustedError("disk full")),
            absl::ResourceExhaustedError("disk full"));
}

TEST(Message, ALossThatIsNoNumberArrivesToo) {
  EXPECT_TRUE(std::isnan(
      Sent(TrainingProgress{1, 2, 0, 0.0,
                            std::numeric_limits<double>::quiet_NaN()})
          .loss));
}

TEST(Message, WhatIsNoMessageIsRefused) {
  for (const std::string line : {"", "hello", "{}", "{\"end\": \"soon\"}",
                                 "{\"progress\": [1, 2]}", "[1]"}) {
    EXPECT_TRUE(testing::FailsWith(FromLine(line),
                                   absl::StatusCode::kInvalidArgument, {line}));
  }
}

}  // namespace
}  // namespace lipschitz::experiments
