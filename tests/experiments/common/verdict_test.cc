#include "experiments/common/verdict.h"

#include <cmath>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using testing::FailsWith;

constexpr auto kBroken = absl::StatusCode::kFailedPrecondition;

TEST(Verdict, AllowsForRoundingAndNoMore) {
  EXPECT_TRUE(ExpectUnitConstant(0.9).ok());
  EXPECT_TRUE(ExpectUnitConstant(1.0 + 9e-6).ok());
  EXPECT_TRUE(FailsWith(ExpectUnitConstant(1.0 + 2e-5), kBroken,
                        {"certificate broken", "1.00002"}));

  EXPECT_TRUE(ExpectSlopeWithin(25.0, 25.0).ok());
  EXPECT_TRUE(ExpectSlopeWithin(0.0, 0.0).ok());
  EXPECT_TRUE(FailsWith(ExpectSlopeWithin(25.0 * (1.0 + 2e-9), 25.0), kBroken,
                        {"certificate broken", "25"}));

  EXPECT_TRUE(ExpectEstimateWithin(5.0, 1.0, 5.0).ok());
  EXPECT_TRUE(ExpectEstimateWithin(-1.0, 1.0, 0.0).ok());
  EXPECT_TRUE(FailsWith(ExpectEstimateWithin(5.00001, 0.5, 5.0), kBroken,
                        {"certificate broken", "5.00001", "K = 0.5"}));
}

TEST(Verdict, WhatIsNoNumberIsBroken) {
  const double none = std::nan("");
  EXPECT_TRUE(
      FailsWith(ExpectUnitConstant(none), kBroken, {"certificate broken"}));
  EXPECT_TRUE(
      FailsWith(ExpectSlopeWithin(none, 1.0), kBroken, {"certificate broken"}));
  EXPECT_TRUE(
      FailsWith(ExpectSlopeWithin(1.0, none), kBroken, {"certificate broken"}));
  EXPECT_TRUE(FailsWith(ExpectEstimateWithin(none, 1.0, 1.0), kBroken,
                        {"certificate broken"}));
  EXPECT_TRUE(FailsWith(ExpectEstimateWithin(1.0, 1.0, none), kBroken,
                        {"certificate broken"}));
}

}  // namespace
}  // namespace lipschitz::experiments
