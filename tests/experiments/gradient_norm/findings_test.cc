#include <limits>
#include <string>
#include <vector>

#include "experiments/common/finding.h"
#include "experiments/common/record.h"
#include "experiments/gradient_norm/gradient_norm.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

using ::testing::HasSubstr;

Record RecordOf(double deviation, const std::string& status = "ok") {
  Record record;
  record.experiment = "gradient_norm";
  record.preset = "quick";
  record.status = status;
  record.variant = {{"task", "critic"},
                    {"constraint", "stiefel"},
                    {"activation", "maxmin"},
                    {"hidden_layers", 3}};
  record.metrics = {{"keeping_deviation_own_trained", deviation}};
  return record;
}

Finding KeptNorm(const std::vector<Record>& records) {
  const std::vector<Finding> findings =
      GradientNormExperiment().Findings(records);
  EXPECT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings.at(0).claim, HasSubstr("keep their norm"));
  return findings.at(0);
}

// A run that does not keep the norm is a failed one, and speaks against the
// claim all the same.
TEST(GradientNormFindings, HearFailedRunsToo) {
  const Finding kept = KeptNorm({RecordOf(1e-7), RecordOf(4e-7)});
  EXPECT_EQ(kept.verdict, ClaimVerdict::kReproduced);
  // The largest of all runs, not of their means.
  EXPECT_THAT(kept.measured, HasSubstr("4.0e-07"));
  for (const double deviation :
       {2e-4, std::numeric_limits<double>::quiet_NaN()}) {
    for (const auto& records :
         {std::vector<Record>{RecordOf(1e-7), RecordOf(deviation, "failed")},
          {RecordOf(deviation, "failed"), RecordOf(1e-7)}}) {
      EXPECT_EQ(KeptNorm(records).verdict, ClaimVerdict::kNotReproduced)
          << deviation;
    }
  }
}

}  // namespace
}  // namespace lipschitz::experiments
