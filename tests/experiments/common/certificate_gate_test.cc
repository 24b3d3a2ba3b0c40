#include "experiments/common/certificate_gate.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/main.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/certificate.h"
#include "tests/experiments/common/fake_experiment.h"
#include "tests/testing/networks.h"
#include "tests/testing/tensors.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::Affine;
using ::lipschitz::testing::Claiming;
using ::lipschitz::testing::Matrix;
using ::testing::HasSubstr;

constexpr int64_t kImages = 30;

torch::Tensor Weight() { return Matrix({{1, -1, 1, 0.5}, {-1, 1, -1, -0.5}}); }

torch::Tensor Images() {
  torch::manual_seed(1);
  return at::rand({kImages, 4});
}

// A linear classifier that states `factor` times its constant, certified and
// attacked as an experiment does it.
absl::StatusOr<RunOutcome> CertifyAndAttack(Norm norm, double factor,
                                            const std::string& path) {
  Claiming network(Affine(Weight()).ptr(), factor);
  const torch::Tensor images = Images();
  CertificationOptions options;
  options.norm = norm;
  options.arithmetic = Arithmetic::kExact;
  LIPSCHITZ_ASSIGN_OR_RETURN(const Certificates certificates,
                             Certify(network, images, options));
  RunOutcome outcome;
  outcome.verdict = PassGate(network, images, certificates, GateSettings(),
                             path, &outcome.metrics);
  return outcome;
}

class CertificateGateTest : public ::testing::TestWithParam<Norm> {
 protected:
  std::string Folder() const {
    return ::testing::TempDir() + "/certificate_gate_test/" +
           NormName(GetParam());
  }
  std::string Counterexample() const { return Folder() + "/found.json"; }

  // The exit status of a program with one run, which certifies with `factor`
  // times the network's constant.
  int Run(double factor) const {
    FakeExperiment experiment;
    experiment.runs = {FakeRun("a", [&](const RunContext&) {
      return CertifyAndAttack(GetParam(), factor, Counterexample());
    })};
    CommonSettings settings;
    settings.results_dir = Folder();
    settings.threads = 1;
    settings.device = "cpu";
    settings.progress = ProgressMode::kNone;
    return RunExperiment(experiment, settings);
  }
  absl::StatusOr<Record> Written() const {
    return ReadRecord(RecordPath(Folder(), "fake", "a", 0));
  }
};

TEST_P(CertificateGateTest, ATrueConstantPasses) {
  std::filesystem::remove_all(Folder());
  EXPECT_EQ(Run(1.0), 0);
  const auto record = Written();
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_TRUE(record->ok()) << record->message;
  EXPECT_EQ(record->metrics.at("gate_attacked"), kImages);
  EXPECT_EQ(record->metrics.at("gate_broken"), 0.0);
  EXPECT_GT(record->metrics.at("gate_least_margin"), 0.0);
  EXPECT_FALSE(std::filesystem::exists(Counterexample()));
}

TEST_P(CertificateGateTest, AFalseConstantFailsTheRunAndLeavesTheProof) {
  std::filesystem::remove_all(Folder());
  EXPECT_EQ(Run(0.5), 1);
  const auto record = Written();
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->status, "failed");
  EXPECT_THAT(record->message, HasSubstr("certificate broken"));
  EXPECT_THAT(record->message, HasSubstr("found.json"));
  EXPECT_EQ(record->metrics.at("gate_attacked"), kImages);
  EXPECT_GT(record->metrics.at("gate_broken"), 0.0);
  EXPECT_LE(record->metrics.at("gate_least_margin"), 0.0);

  // What was kept is enough to see for oneself.
  const auto text = ReadFile(Counterexample());
  ASSERT_TRUE(text.ok()) << text.status();
  const Json found = Json::parse(*text);
  const auto tensor = [&found](const char* key) {
    return torch::tensor(found.at(key).get<std::vector<double>>(),
                         torch::kDouble);
  };
  const int64_t index = found.at("index");
  const int64_t label = found.at("label");
  const torch::Tensor image = tensor("image");
  const torch::Tensor input = tensor("input");
  EXPECT_TRUE(image.equal(Images()[index].to(torch::kDouble)));
  const torch::Tensor step = input - image;
  const double distance = GetParam() == Norm::kL2
                              ? step.norm().item<double>()
                              : step.abs().max().item<double>();
  EXPECT_NEAR(found.at("distance"), distance, 1e-12);
  EXPECT_LE(distance, found.at("radius").get<double>());
  const torch::Tensor weight = Weight().to(torch::kDouble);
  EXPECT_GT(weight.mv(image)[label].item<double>(),
            weight.mv(image)[1 - label].item<double>());
  const torch::Tensor logits = weight.mv(input);
  EXPECT_LE(logits[label].item<double>(), logits[1 - label].item<double>());
  EXPECT_LT((logits - tensor("logits")).abs().max().item<double>(), 1e-9);
}

TEST_P(CertificateGateTest, ACounterexampleThatCannotBeKeptStillFails) {
  std::filesystem::remove_all(Folder());
  // A folder in the file's place.
  std::filesystem::create_directories(Counterexample());
  EXPECT_EQ(Run(0.5), 1);
  const auto record = Written();
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->status, "failed");
  EXPECT_THAT(record->message, HasSubstr("could not be written"));
}

INSTANTIATE_TEST_SUITE_P(Norms, CertificateGateTest,
                         ::testing::Values(Norm::kL2, Norm::kLinf),
                         [](const auto& norm) { return NormName(norm.param); });

Record Gated(const std::string& status, double broken, double attacked) {
  Record record;
  record.status = status;
  record.metrics = {{"gate_broken", broken}, {"gate_attacked", attacked}};
  return record;
}

// A run in which a certificate broke is a failed one: without those the cell
// could only say that none did.
TEST(GateCellTest, CountsFailedRunsToo) {
  std::vector<Record> records = {Gated("ok", 0, 900), Gated("failed", 3, 800),
                                 Gated("ok", 0, 100)};
  EXPECT_EQ(std::get<std::string>(GateCell(GroupByVariant(records).at(0))),
            "3 of 1800");
  // One that failed before it came to the gate.
  records[1].metrics.clear();
  EXPECT_EQ(std::get<std::string>(GateCell(GroupByVariant(records).at(0))),
            "0 of 1000");
  for (Record& record : records) record.metrics.clear();
  EXPECT_EQ(std::get<std::string>(GateCell(GroupByVariant(records).at(0))),
            "–");
}

}  // namespace
}  // namespace lipschitz::experiments
