#include "lipschitz/training/schedule.h"

#include <cmath>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

LearningRateSchedule OfKind(ScheduleKind kind) {
  LearningRateSchedule schedule;
  schedule.kind = kind;
  return schedule;
}

TEST(ScheduleTest, NamesParseBack) {
  for (const char* name : {"constant", "step", "exponential", "cosine"}) {
    const auto kind = ParseSchedule(name);
    ASSERT_TRUE(kind.ok()) << name;
    EXPECT_EQ(ScheduleName(*kind), name);
  }
  const auto unknown = ParseSchedule("linear");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(unknown.status().message()),
      AllOf(HasSubstr("'linear'"), HasSubstr("constant"), HasSubstr("cosine")));
}

TEST(ScheduleTest, ConstantStaysOne) {
  const auto schedule = OfKind(ScheduleKind::kConstant);
  for (const int64_t step : {0, 1, 50, 99}) {
    EXPECT_EQ(schedule.Factor(step, 100), 1.0);
  }
}

TEST(ScheduleTest, StepDecaysWhenSoManyStepsAreDone) {
  auto schedule = OfKind(ScheduleKind::kStep);
  schedule.decay = 0.5;
  schedule.milestones = {10, 20, 20};
  EXPECT_EQ(schedule.Factor(0, 100), 1.0);
  EXPECT_EQ(schedule.Factor(9, 100), 1.0);
  EXPECT_EQ(schedule.Factor(10, 100), 0.5);
  EXPECT_EQ(schedule.Factor(19, 100), 0.5);
  // A milestone that is named twice counts twice.
  EXPECT_EQ(schedule.Factor(20, 100), 0.125);
  EXPECT_EQ(schedule.Factor(99, 100), 0.125);
  schedule.milestones = {};
  EXPECT_EQ(schedule.Factor(99, 100), 1.0);
}

TEST(ScheduleTest, ExponentialLeavesDecayAtTheEnd) {
  auto schedule = OfKind(ScheduleKind::kExponential);
  schedule.decay = 0.01;
  EXPECT_DOUBLE_EQ(schedule.Factor(0, 200), 1.0);
  EXPECT_DOUBLE_EQ(schedule.Factor(100, 200), 0.1);
  EXPECT_DOUBLE_EQ(schedule.Factor(200, 200), 0.01);
  EXPECT_NEAR(schedule.Factor(50, 200), std::pow(0.01, 0.25), 1e-15);
}

TEST(ScheduleTest, CosineGoesFromOneToTheFloor) {
  auto schedule = OfKind(ScheduleKind::kCosine);
  schedule.floor = 0.2;
  EXPECT_DOUBLE_EQ(schedule.Factor(0, 60), 1.0);
  EXPECT_NEAR(schedule.Factor(20, 60), 0.2 + 0.8 * 0.75, 1e-15);
  EXPECT_NEAR(schedule.Factor(30, 60), 0.6, 1e-15);
  EXPECT_NEAR(schedule.Factor(60, 60), 0.2, 1e-15);
  for (int64_t step = 0; step < 60; ++step) {
    EXPECT_GT(schedule.Factor(step, 60), schedule.Factor(step + 1, 60));
  }
}

TEST(ScheduleTest, SettingsThatMakeNoSenseAreErrors) {
  const auto fails = [](const LearningRateSchedule& schedule) {
    return schedule.Validate().code() == absl::StatusCode::kInvalidArgument;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  LearningRateSchedule schedule;
  EXPECT_TRUE(schedule.Validate().ok());
  for (const double decay : {0.0, -1.0, nan}) {
    schedule.decay = decay;
    EXPECT_TRUE(fails(schedule)) << decay;
  }
  schedule = {};
  for (const double floor : {-0.1, 1.1, nan}) {
    schedule.floor = floor;
    EXPECT_TRUE(fails(schedule)) << floor;
  }
  schedule = {};
  schedule.milestones = {20, 10};
  EXPECT_TRUE(fails(schedule));
}

}  // namespace
}  // namespace lipschitz
