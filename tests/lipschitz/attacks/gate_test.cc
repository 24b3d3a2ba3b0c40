#include "lipschitz/attacks/gate.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/certify/certificate.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Affine;
using ::lipschitz::testing::Chain;
using ::lipschitz::testing::Claiming;
using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::RandomMlp;

CertificationOptions Options(Norm norm, Arithmetic arithmetic) {
  CertificationOptions options;
  options.norm = norm;
  options.arithmetic = arithmetic;
  return options;
}

GateReport Attacked(LayerImpl& network, const at::Tensor& images,
                    const Certificates& certificates,
                    const GateOptions& options = {}) {
  auto report = AttackCertificates(network, images, certificates, options);
  EXPECT_TRUE(report.ok()) << report.status();
  return *report;
}

// Steps enough to come as near to the boundary as rounding allows, where
// nothing but the radius holds them back.
GateOptions ToTheBoundary() {
  GateOptions gate;
  gate.box = InputBox::Everywhere();
  gate.pgd.steps = 60;
  gate.pgd.step_fraction = 0.25;
  return gate;
}

// Of two classes.
Sequential RandomAffine(uint64_t seed) {
  torch::manual_seed(seed);
  return Chain({Affine(at::randn({2, 5}), at::randn({2}) * 0.1).ptr()});
}

TEST(GateTest, AStopIsHeard) {
  Sequential network = RandomAffine(0);
  const at::Tensor x = at::rand({10, 5});
  const auto certificates =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kFloat64));
  ASSERT_TRUE(certificates.ok()) << certificates.status();
  GateOptions gate;
  gate.stop_requested = [] { return true; };
  EXPECT_TRUE(FailsWith(AttackCertificates(*network, x, *certificates, gate),
                        absl::StatusCode::kCancelled, {"stopped"}));
  gate.stop_requested = [] { return false; };
  EXPECT_EQ(Attacked(*network, x, *certificates, gate).attacked, 10);
}

TEST(GateTest, HonestCertificatesHold) {
  for (int64_t seed = 0; seed < 4; ++seed) {
    Sequential network = RandomMlp(
        seed, {6, 16, 16, 3}, ActivationSpec::MaxMin(),
        seed % 2 == 0 ? ConstraintKind::kBjorck : ConstraintKind::kLinfRows);
    const at::Tensor x = at::rand({40, 6});
    for (Norm norm : {Norm::kL2, Norm::kLinf}) {
      for (Arithmetic arithmetic :
           {Arithmetic::kExact, Arithmetic::kFloat64, Arithmetic::kFloat32}) {
        const auto certificates =
            Certify(*network, x, Options(norm, arithmetic));
        ASSERT_TRUE(certificates.ok()) << certificates.status();
        for (bool float32_search : {false, true}) {
          GateOptions gate;
          gate.float32_search = float32_search;
          const GateReport report = Attacked(*network, x, *certificates, gate);
          EXPECT_TRUE(report.counterexamples.empty());
          EXPECT_EQ(report.attacked,
                    (certificates->pairwise_radius > 0).sum().item<int64_t>());
          EXPECT_GT(report.attacked, 0);
          EXPECT_GT(report.least_margin, 0.0);
        }
      }
    }
  }
}

TEST(GateTest, AFalseConstantIsCaught) {
  for (Norm norm : {Norm::kL2, Norm::kLinf}) {
    torch::manual_seed(1);
    const at::Tensor weight = Matrix({{1, -1, 1, 0.5}, {-1, 1, -1, -0.5}});
    const at::Tensor x = at::rand({30, 4});
    // The same network, honest and with half of its constant.
    Claiming honest(Affine(weight).ptr(), 1.0);
    Claiming false_claim(Affine(weight).ptr(), 0.5);
    const auto options = Options(norm, Arithmetic::kExact);
    EXPECT_TRUE(Attacked(honest, x, *Certify(honest, x, options))
                    .counterexamples.empty());
    const auto certificates = Certify(false_claim, x, options);
    ASSERT_TRUE(certificates.ok()) << certificates.status();
    const GateReport report = Attacked(false_claim, x, *certificates);
    ASSERT_FALSE(report.counterexamples.empty());
    for (const Counterexample& found : report.counterexamples) {
      EXPECT_LE(found.distance, found.radius);
      EXPECT_EQ(found.radius,
                certificates->pairwise_radius[found.index].item<double>());
      const at::Tensor step = found.input - x[found.index].to(at::kDouble);
      EXPECT_NEAR(norm == Norm::kL2 ? step.norm().item<double>()
                                    : step.abs().max().item<double>(),
                  found.distance, 1e-12);
      EXPECT_TRUE(
          (found.input >= 0).logical_and(found.input <= 1).all().item<bool>());
      const at::Tensor logits = at::mv(weight, found.input);
      EXPECT_LE((logits[found.label] - logits[1 - found.label]).item<double>(),
                0.0);
      EXPECT_NEAR((logits - found.logits).abs().max().item<double>(), 0, 1e-9);
    }
    EXPECT_LE(report.least_margin, 0.0);
  }
}

TEST(GateTest, ARadiusThatIsAMillionthTooLargeIsCaught) {
  for (Norm norm : {Norm::kL2, Norm::kLinf}) {
    Sequential network = RandomAffine(2);
    const at::Tensor x = at::rand({20, 5}).to(at::kDouble) * 0.2 + 0.4;
    auto certificates =
        Certify(*network, x, Options(norm, Arithmetic::kFloat64));
    ASSERT_TRUE(certificates.ok());
    const GateOptions gate = ToTheBoundary();
    EXPECT_TRUE(
        Attacked(*network, x, *certificates, gate).counterexamples.empty());
    certificates->pairwise_radius = certificates->pairwise_radius * (1 + 1e-6);
    EXPECT_EQ(
        static_cast<int64_t>(
            Attacked(*network, x, *certificates, gate).counterexamples.size()),
        (certificates->pairwise_radius > 0).sum().item<int64_t>());
  }
}

TEST(GateTest, ASearchInFloat32IsJudgedInFloat64) {
  for (Norm norm : {Norm::kL2, Norm::kLinf}) {
    Sequential network = RandomAffine(4);
    const at::Tensor x = at::rand({20, 5}) * 0.2 + 0.4;
    auto certificates =
        Certify(*network, x, Options(norm, Arithmetic::kFloat64));
    ASSERT_TRUE(certificates.ok());
    GateOptions gate = ToTheBoundary();
    gate.float32_search = true;
    const GateReport honest = Attacked(*network, x, *certificates, gate);
    EXPECT_TRUE(honest.counterexamples.empty());
    // Float32 gets this near to the boundary, and float64 sees on which side.
    EXPECT_GT(honest.least_margin, 0.0);
    EXPECT_LT(honest.least_margin, 1e-5);
    certificates->pairwise_radius = certificates->pairwise_radius * (1 + 1e-4);
    const GateReport caught = Attacked(*network, x, *certificates, gate);
    EXPECT_EQ(static_cast<int64_t>(caught.counterexamples.size()),
              (certificates->pairwise_radius > 0).sum().item<int64_t>());
    const Float64Evaluation evaluation(*network);
    for (const Counterexample& found : caught.counterexamples) {
      ASSERT_EQ(found.input.scalar_type(), at::kDouble);
      EXPECT_TRUE(
          network->forward(found.input.unsqueeze(0))[0].equal(found.logits));
      EXPECT_LE(found.distance, found.radius);
    }
  }
}

// What float32 certifies is the image as float32 has it: a corner of the box
// around that one may be farther from the float64 image.
TEST(GateTest, AFalseFloat32CertificateOfAFloat64ImageIsCaught) {
  for (Norm norm : {Norm::kL2, Norm::kLinf}) {
    SCOPED_TRACE(NormName(norm));
    Sequential network = RandomAffine(4);
    const at::Tensor x = at::rand({40, 5}, at::kDouble) * 0.2 + 0.4;
    auto certificates =
        Certify(*network, x, Options(norm, Arithmetic::kFloat32));
    ASSERT_TRUE(certificates.ok()) << certificates.status();
    certificates->pairwise_radius = certificates->pairwise_radius * (1 + 1e-3);
    const GateReport caught =
        Attacked(*network, x, *certificates, ToTheBoundary());
    EXPECT_EQ(static_cast<int64_t>(caught.counterexamples.size()),
              (certificates->pairwise_radius > 0).sum().item<int64_t>());
  }
}

TEST(GateTest, AFloat64NetworkIsSearchedInFloat64) {
  Sequential network = Chain({Affine(Matrix({{1, 0}, {0, 1}})).ptr()});
  const at::Tensor x = Matrix({{0.5, 0.25}}).to(at::kFloat);
  network->to(at::kDouble);
  const auto certificates =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kFloat64));
  ASSERT_TRUE(certificates.ok()) << certificates.status();
  GateOptions gate;
  gate.float32_search = true;
  const GateReport report = Attacked(*network, x, *certificates, gate);
  EXPECT_EQ(report.attacked, 1);
  EXPECT_TRUE(report.counterexamples.empty());
}

TEST(GateTest, ACertifiedTieIsCaughtAtTheImageItself) {
  Sequential network = Chain({Affine(Matrix({{1, 0}, {0, 1}})).ptr()});
  const at::Tensor x = Matrix({{0.5, 0.5}, {0.9, 0.1}}).to(at::kFloat);
  auto certificates =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kFloat32));
  ASSERT_TRUE(certificates.ok());
  EXPECT_TRUE(Attacked(*network, x, *certificates).counterexamples.empty());
  certificates->pairwise_radius[0] = 1e-9;
  const GateReport report = Attacked(*network, x, *certificates);
  ASSERT_EQ(report.counterexamples.size(), 1u);
  EXPECT_EQ(report.counterexamples[0].index, 0);
  EXPECT_EQ(report.counterexamples[0].distance, 0.0);
}

TEST(GateTest, RoundingThatWasForgottenIsCaught) {
  // Exact arithmetic prefers class 0 by 2⁻³⁰, float32 sees a tie.
  Sequential network =
      Chain({Affine(Matrix({{1, std::ldexp(1, -30)}, {1, 0}})).ptr()});
  const at::Tensor x = at::ones({1, 2});
  auto certificates =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kFloat64));
  ASSERT_TRUE(certificates.ok());
  EXPECT_TRUE(Attacked(*network, x, *certificates).counterexamples.empty());
  certificates->arithmetic = Arithmetic::kFloat32;
  EXPECT_EQ(Attacked(*network, x, *certificates).counterexamples.size(), 1u);
}

TEST(GateTest, AWrongLabelIsCaught) {
  Sequential network = Chain({Affine(Matrix({{1, 0}, {0, 1}})).ptr()});
  const at::Tensor x = Matrix({{0.8, 0.1}});
  auto certificates =
      Certify(*network, x, Options(Norm::kLinf, Arithmetic::kFloat64));
  ASSERT_TRUE(certificates.ok());
  certificates->labels = at::ones({1}, at::kLong);
  EXPECT_EQ(Attacked(*network, x, *certificates).counterexamples.size(), 1u);
}

TEST(GateTest, TheNetworkIsLeftAsItWas) {
  Sequential network = RandomMlp(3, {4, 8, 3}, ActivationSpec::MaxMin());
  network->train();
  const at::Tensor before = network->parameters()[0].detach().clone();
  const at::Tensor x = at::rand({5, 4});
  const auto certificates =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kFloat64));
  ASSERT_TRUE(certificates.ok());
  Attacked(*network, x, *certificates);
  EXPECT_TRUE(network->is_training());
  EXPECT_TRUE(network->parameters()[0].detach().equal(before));
  EXPECT_FALSE(network->parameters()[0].grad().defined());
}

TEST(GateTest, ImagesThatDoNotFitAreErrors) {
  Sequential network = Chain({Affine(Matrix({{1, 0}, {0, 1}})).ptr()});
  const at::Tensor x = Matrix({{2.0, 0.5}, {0.9, 0.1}});
  const auto certificates =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kFloat64));
  ASSERT_TRUE(certificates.ok());
  EXPECT_TRUE(FailsWith(AttackCertificates(*network, x, *certificates),
                        absl::StatusCode::kInvalidArgument, {"[0, 1]"}));
  EXPECT_TRUE(
      FailsWith(AttackCertificates(*network, x.slice(0, 0, 1), *certificates),
                absl::StatusCode::kInvalidArgument, {"1 images"}));
}

TEST(GateTest, NothingCertifiedMeansNothingToAttack) {
  Sequential network = Chain({Affine(at::zeros({2, 2})).ptr()});
  const at::Tensor x = at::rand({3, 2});
  const GateReport report =
      Attacked(*network, x,
               *Certify(*network, x, Options(Norm::kL2, Arithmetic::kExact)));
  EXPECT_EQ(report.attacked, 0);
  EXPECT_TRUE(report.counterexamples.empty());
  EXPECT_TRUE(std::isinf(report.least_margin));
}

}  // namespace
}  // namespace lipschitz
