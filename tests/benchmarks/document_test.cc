#include "benchmarks/document.h"

#include <string>

#include "benchmarks/results.h"
#include "experiments/common/figure.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::benchmarks {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

Measurement Took(std::vector<double> milliseconds) {
  Measurement measurement;
  measurement.milliseconds = std::move(milliseconds);
  return measurement;
}

std::string StepName(const std::string& constraint) {
  return "training_step:step/" + constraint + "/width:1024/batch:128";
}

TEST(Document, ATargetIsMetOrMissedByTheMedianOfItsRatios) {
  Results results;
  results.measurements[StepName("none")] = Took({10, 10, 10});
  const std::string row =
      "\\| training step 784-1024×3-10, batch 128: "
      "stiefel / unconstrained +\\| ";
  results.measurements[StepName("stiefel")] = Took({39, 90, 20});
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex(row + "3\\.90 +\\| 2\\.00 to 9\\.00 +\\| ≤ 4 +"
                                  "\\| met "));
  results.measurements[StepName("stiefel")] = Took({41, 90, 20});
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex(row + "4\\.10 +\\| 2\\.00 to 9\\.00 +\\| ≤ 4 +"
                                  "\\| \\*\\*missed\\*\\* "));
  results.measurements.erase(StepName("stiefel"));
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex(row + "– +\\| – +\\| ≤ 4 +\\| not measured "));
}

TEST(Document, SaysOfHowManyRoundsItIs) {
  Results results;
  results.measurements[StepName("none")] = Took({10, 10, 10});
  EXPECT_THAT(MakeDocument(results), HasSubstr("once a round, 3 rounds"));
  results.measurements[StepName("stiefel")] = Took({39});
  EXPECT_THAT(MakeDocument(results), HasSubstr("once a round, 1 to 3 rounds"));
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex("3\\.90 +\\| one round +\\|"));
}

TEST(Document, AtLeastIsTheOtherWayRound) {
  Results results;
  results.measurements["group_sort:kernel/1024x1024/float/group:2"] = Took({1});
  results.measurements["group_sort:composed/1024x1024/float/group:2"] =
      Took({5});
  const std::string row =
      "groups of 2: composed / kernel +\\| 5\\.00 .*≥ 6 +\\| "
      "\\*\\*missed\\*\\*";
  EXPECT_THAT(MakeDocument(results), ContainsRegex(row));
}

TEST(Document, ATargetMayBeATime) {
  Results results;
  results.measurements["convolution_step:bound/orthogonal"] = Took({12, 30, 9});
  const std::string row =
      "\\| K of a LeNet of orthogonal convolutions: milliseconds +\\| ";
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex(row + "12\\.0 +\\| 9\\.00 to 30\\.0 +\\| ≤ 1000 "
                                  "+\\| met "));
  results.measurements["convolution_step:bound/orthogonal"] = Took({1200});
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex(row + "1200 +\\| one round +\\| ≤ 1000 +\\| "
                                  "\\*\\*missed"));
}

TEST(Document, ShowsReplacementsOnceTheyAreMeasured) {
  Results results;
  EXPECT_THAT(MakeDocument(results), ::testing::Not(HasSubstr("replaces")));
  results.measurements["replacements:max_pool/ours/forward"] = Took({2});
  results.measurements["replacements:max_pool/libtorch/forward"] = Took({9});
  EXPECT_THAT(MakeDocument(results),
              ContainsRegex("forwards +\\| 2\\.00 +\\| 9\\.00 +\\| 4\\.50 "));
}

TEST(Document, SaysHowFarAStepIsFromThePeak) {
  Results results;
  Measurement gemm = Took({2});
  gemm.counters["flop"] = 2e9;
  results.measurements["machine:gemm/float/1024"] = gemm;
  // What a constraint computes beside the network's products does not count.
  Measurement unconstrained = Took({4});
  unconstrained.counters["flop"] = 2e9;
  results.measurements[StepName("none")] = unconstrained;
  Measurement step = Took({8});
  step.counters["flop"] = 9e9;
  results.measurements[StepName("stiefel")] = step;
  const std::string text = MakeDocument(results);
  EXPECT_THAT(text, HasSubstr("25 % of the GEMM peak"));
  EXPECT_THAT(text, HasSubstr("1000 GFLOP/s"));
}

TEST(Document, NamesTheMachine) {
  Results results;
  results.context["processor"] = "a | strange one";
  EXPECT_THAT(MakeDocument(results), HasSubstr("a \\| strange one"));
}

// The committed page is what the committed results give.
TEST(CommittedBenchmarks, PageAndResultsAgree) {
  const auto results =
      ReadResults(testing::DataFile("benchmarks/results.json"));
  ASSERT_TRUE(results.ok()) << results.status();
  const auto page = ReadFile(testing::DataFile("benchmarks/README.md"));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, MakeDocument(*results))
      << "bazel run //benchmarks:report -- --measure=false";
  EXPECT_THAT(*page, ::testing::Not(HasSubstr("not measured")));
  for (const auto& panel : MakeScalingFigure(*results).panels) {
    for (const auto& series : panel.series) {
      EXPECT_GE(series.x.size(), 6u) << panel.title << ": " << series.label;
    }
  }
}

}  // namespace
}  // namespace lipschitz::benchmarks
