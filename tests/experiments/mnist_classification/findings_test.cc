#include <string>
#include <vector>

#include "experiments/common/finding.h"
#include "experiments/common/record.h"
#include "experiments/mnist_classification/mnist_classification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

using ::testing::HasSubstr;

// Of orthonormal weights.
Record RecordOf(const std::string& activation, double error, double temperature,
                double learning_rate = 0.02) {
  Record record;
  record.experiment = "mnist_classification";
  record.preset = "quick";
  record.dataset = "mnist";
  record.variant = {{"constraint", "stiefel"}, {"activation", activation}};
  record.metrics = {{"test_error", error}};
  record.config = {{"activation", activation},
                   {"temperature", temperature},
                   {"learning_rate", learning_rate}};
  if (temperature != 8.0 || learning_rate != 0.02) {
    record.config["customised"] = true;
  }
  return record;
}

std::vector<Finding> FindingsOf(const std::vector<Record>& records) {
  return MnistClassificationExperiment().Findings(records);
}

TEST(MnistClassificationFindings, TellTheLossWithoutATemperatureApart) {
  const std::vector<Record> records = {
      RecordOf("relu", 0.020, 8.0), RecordOf("maxmin", 0.021, 8.0),
      RecordOf("relu", 0.060, 1.0), RecordOf("maxmin", 0.040, 1.0),
      // More than the temperature is another one.
      RecordOf("relu", 0.5, 1.0, 0.1), RecordOf("maxmin", 0.9, 1.0, 0.1)};
  const std::vector<Finding> findings = FindingsOf(records);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_THAT(findings[0].claim, HasSubstr("no temperature"));
  EXPECT_THAT(findings[0].measured, HasSubstr("ReLU 6.00"));
  EXPECT_THAT(findings[0].measured, HasSubstr("MaxMin 4.00"));
  EXPECT_EQ(findings[0].verdict, ClaimVerdict::kReproduced);
  EXPECT_THAT(findings[1].measured, HasSubstr("ReLU 2.00"));
  EXPECT_EQ(findings[1].verdict, ClaimVerdict::kNotReproduced);
}

TEST(MnistClassificationFindings, SayNothingOfWhatWasNotMeasured) {
  EXPECT_TRUE(FindingsOf({RecordOf("relu", 0.060, 1.0)}).empty());
  EXPECT_TRUE(FindingsOf({}).empty());
}

}  // namespace
}  // namespace lipschitz::experiments
