#include "lipschitz/certify/certificate.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/certify/arithmetic_evaluation.h"
#include "lipschitz/layers/dropout.h"
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
using ::lipschitz::testing::TensorsNear;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<Arithmetic>& AllArithmetics() {
  static const std::vector<Arithmetic> kAll = {
      Arithmetic::kExact, Arithmetic::kFloat64, Arithmetic::kFloat32};
  return kAll;
}

CertificationOptions Options(Norm norm,
                             Arithmetic arithmetic = Arithmetic::kFloat64) {
  CertificationOptions options;
  options.norm = norm;
  options.arithmetic = arithmetic;
  return options;
}

Certificates Certified(LayerImpl& network, const at::Tensor& images,
                       const at::Tensor& labels,
                       const CertificationOptions& options) {
  auto certificates = Certify(network, images, labels, options);
  EXPECT_TRUE(certificates.ok()) << certificates.status();
  return *certificates;
}

at::Tensor Labels(std::vector<int64_t> labels) {
  return at::tensor(labels, at::kLong);
}

// The dual norm of the norm.
at::Tensor DualNorm(const at::Tensor& v, Norm norm) {
  return norm == Norm::kL2 ? v.norm(2, -1) : v.abs().sum(-1);
}

// The direction of length 1 in which w grows most.
at::Tensor Steepest(const at::Tensor& w, Norm norm) {
  return norm == Norm::kL2 ? w / w.norm() : w.sign();
}

TEST(CertificateTest, OfALinearClassifierIsExact) {
  for (int64_t seed = 0; seed < 20; ++seed) {
    torch::manual_seed(static_cast<uint64_t>(seed));
    const int64_t classes = 2 + seed % 4;
    const at::Tensor weight = at::randn({classes, 6}).to(at::kDouble);
    const at::Tensor bias = at::randn({classes}).to(at::kDouble);
    const double scale = seed % 2 == 0 ? 1.0 : 0.25;
    Sequential network = Chain({Affine(weight, bias, scale).ptr()});
    const at::Tensor x = at::rand({10, 6}).to(at::kDouble);
    const at::Tensor logits = at::addmm(bias, x, weight.t()) * scale;
    const at::Tensor labels = logits.argmax(1);
    for (Norm norm : {Norm::kL2, Norm::kLinf}) {
      const Certificates certificates =
          Certified(*network, x, labels, Options(norm));
      for (int64_t i = 0; i < x.size(0); ++i) {
        const int64_t y = labels[i].item<int64_t>();
        double expected = kInfinity;
        int64_t nearest = -1;
        for (int64_t j = 0; j < classes; ++j) {
          if (j == y) continue;
          const double radius =
              (logits[i][y] - logits[i][j]).item<double>() /
              (scale * DualNorm(weight[y] - weight[j], norm)).item<double>();
          if (radius < expected) {
            expected = radius;
            nearest = j;
          }
        }
        const double radius = certificates.pairwise_radius[i].item<double>();
        EXPECT_LT(radius, expected);
        EXPECT_NEAR(radius, expected, 1e-9 * expected + 1e-13);
        // The worst step flips the class just outside, and not just inside.
        const auto margin_at = [&](double length) {
          const at::Tensor point =
              x[i] - Steepest(weight[y] - weight[nearest], norm) * length;
          const at::Tensor f = at::addmv(bias, weight, point);
          return (f[y] - f[nearest]).item<double>();
        };
        EXPECT_LT(margin_at(radius * (1 + 1e-6)), 0.0);
        EXPECT_GT(margin_at(radius * (1 - 1e-6)), 0.0);
      }
    }
  }
}

TEST(CertificateTest, HoldsAgainstRandomPointsOfRandomNetworks) {
  for (int64_t seed = 0; seed < 6; ++seed) {
    Sequential network = RandomMlp(
        seed, {4, 16, 16, 3}, ActivationSpec::MaxMin(),
        seed % 2 == 0 ? ConstraintKind::kBjorck : ConstraintKind::kLinfRows,
        seed < 3 ? 1.0 : 10.0);
    const at::Tensor x = at::rand({20, 4});
    for (Norm norm : {Norm::kL2, Norm::kLinf}) {
      for (Arithmetic arithmetic : AllArithmetics()) {
        const auto certificates =
            Certify(*network, x, Options(norm, arithmetic));
        ASSERT_TRUE(certificates.ok()) << certificates.status();
        EXPECT_GT(certificates->pairwise_radius.max().item<double>(), 0.0);
        const auto evaluation =
            ArithmeticEvaluation::Create(*network, arithmetic);
        const torch::NoGradGuard no_grad;
        for (int64_t i = 0; i < x.size(0); ++i) {
          at::Tensor steps = at::randn({200, 4}, (*evaluation)->type());
          steps =
              norm == Norm::kL2 ? steps / steps.norm(2, 1, true) : steps.sign();
          const double radius = certificates->pairwise_radius[i].item<double>();
          const at::Tensor logits = network->forward(
              x[i].to((*evaluation)->type()) + steps * (radius * (1 - 1e-5)));
          if (radius == 0.0) continue;
          EXPECT_TRUE(
              (logits.argmax(1) == certificates->labels[i].item<int64_t>())
                  .all()
                  .item<bool>());
        }
      }
    }
  }
}

TEST(CertificateTest, TheExactCertificateOfANetworkThatAttainsItsConstant) {
  // max − min of the two coordinates against 0: f = (|x₁ − x₂|, 0)/√2 has
  // constant 1 in l2, and the nearest input with another class is on the
  // diagonal.
  const double h = std::sqrt(0.5);
  Sequential network =
      Chain({std::make_shared<ActivationImpl>(ActivationSpec::MaxMin()),
             Affine(Matrix({{-h, h}, {0, 0}})).ptr()});
  const Certificates certificates =
      Certified(*network, Matrix({{0.2, 0.9}, {0.5, 0.5}}), Labels({0, 0}),
                Options(Norm::kL2));
  EXPECT_NEAR(certificates.pairwise_radius[0].item<double>(), 0.7 * h, 1e-7);
  EXPECT_NEAR(certificates.lipschitz_constant, 1.0, 1e-7);
  EXPECT_EQ(certificates.pairwise_radius[1].item<double>(), 0.0);
}

TEST(CertificateTest, PairwiseIsNeverBelowNaiveAndNaiveIsTheFormula) {
  for (int64_t seed = 0; seed < 8; ++seed) {
    Sequential network = RandomMlp(
        seed, {5, 12, 12, 4}, ActivationSpec::GroupSort(4),
        seed % 2 == 0 ? ConstraintKind::kStiefel : ConstraintKind::kNone);
    const at::Tensor x = at::rand({30, 5});
    for (Norm norm : {Norm::kL1, Norm::kL2, Norm::kLinf}) {
      const auto certificates = Certify(*network, x, Options(norm));
      ASSERT_TRUE(certificates.ok()) << certificates.status();
      EXPECT_TRUE((certificates->pairwise_radius >= certificates->naive_radius)
                      .all()
                      .item<bool>());
      // From √2 K or 2 K; other norms of the output may give a little more.
      const double factor = norm == Norm::kL1   ? 1.0
                            : norm == Norm::kL2 ? std::sqrt(2.0)
                                                : 2.0;
      const at::Tensor formula = certificates->margin.clamp_min(0) /
                                 (factor * certificates->lipschitz_constant);
      EXPECT_TRUE((certificates->naive_radius >= formula * (1 - 1e-9))
                      .all()
                      .item<bool>());
    }
  }
}

TEST(CertificateTest, OrthonormalRowsMakeThePairwiseConstantRootTwo) {
  // ‖w_y − w_j‖₂ = √2 for orthonormal rows: no gain, and no loss.
  Sequential network = RandomMlp(2, {6, 8, 4}, ActivationSpec::MaxMin());
  const auto certificates =
      Certify(*network, at::rand({20, 6}), Options(Norm::kL2));
  ASSERT_TRUE(certificates.ok());
  EXPECT_TRUE(TensorsNear(certificates->pairwise_radius,
                          certificates->margin / std::sqrt(2.0), 1e-4));
}

TEST(CertificateTest, RadiiInLinfAreNotAboveThoseInL2) {
  Sequential network = RandomMlp(4, {6, 8, 8, 3}, ActivationSpec::MaxMin());
  const at::Tensor x = at::rand({20, 6});
  const auto l2 = Certify(*network, x, Options(Norm::kL2));
  const auto linf = Certify(*network, x, Options(Norm::kLinf));
  ASSERT_TRUE(l2.ok() && linf.ok());
  // linf balls hold l2 balls, so the l2 bound is one for them with √d.
  EXPECT_TRUE(
      (linf->pairwise_radius <= l2->pairwise_radius).all().item<bool>());
  EXPECT_TRUE((linf->pairwise_radius * std::sqrt(6.0) >=
               l2->pairwise_radius * (1 - 1e-6))
                  .all()
                  .item<bool>());
}

TEST(CertificateTest, WrongAndTiedAndInfiniteLogitsAreNotCertified) {
  Sequential network = Chain({Affine(Matrix({{1, 0}, {0, 1}, {0, 1}})).ptr()});
  for (Arithmetic arithmetic : AllArithmetics()) {
    for (Norm norm : {Norm::kL2, Norm::kLinf}) {
      const Certificates certificates = Certified(
          *network,
          Matrix({{1, 0}, {0, 1}, {1, 1}, {0.25, 0.75}}).to(at::kFloat),
          Labels({0, 1, 0, 0}), Options(norm, arithmetic));
      EXPECT_GT(certificates.pairwise_radius[0].item<double>(), 0.0);
      // Classes 1 and 2 are equal; then 0 ties with both; then it is wrong.
      for (int64_t i = 1; i < 4; ++i) {
        EXPECT_EQ(certificates.pairwise_radius[i].item<double>(), 0.0) << i;
        EXPECT_EQ(certificates.naive_radius[i].item<double>(), 0.0) << i;
      }
      EXPECT_TRUE(certificates.predicted.slice(0, 0, 2).equal(Labels({0, 1})));
      EXPECT_LT(certificates.margin[3].item<double>(), -0.49);
    }
  }
  Sequential huge =
      Chain({Affine(Matrix({{3e38, 3e38}, {0, 0}}).to(at::kFloat)).ptr()});
  const Certificates certificates =
      Certified(*huge, at::ones({1, 2}), Labels({0}),
                Options(Norm::kL2, Arithmetic::kFloat32));
  EXPECT_EQ(certificates.pairwise_radius.item<double>(), 0.0);
}

TEST(CertificateTest, AMarginWithinRoundingIsNotCertified) {
  // In exact arithmetic the first logit is larger by 2⁻³⁰; float32 sees a tie
  // or less near 1.
  Sequential network =
      Chain({Affine(Matrix({{1, std::ldexp(1, -30)}, {1, 0}})).ptr()});
  const at::Tensor x = at::ones({1, 2});
  EXPECT_GT(Certified(*network, x, Labels({0}), Options(Norm::kL2))
                .pairwise_radius.item<double>(),
            0.0);
  const Certificates narrow = Certified(
      *network, x, Labels({0}), Options(Norm::kL2, Arithmetic::kFloat32));
  EXPECT_EQ(narrow.pairwise_radius.item<double>(), 0.0);
  EXPECT_GT(narrow.forward_error.item<double>(), std::ldexp(1, -30));
}

TEST(CertificateTest, RoundingTakesMoreInFloat32AndLittle) {
  Sequential network = RandomMlp(5, {10, 32, 32, 4}, ActivationSpec::MaxMin());
  const at::Tensor x = at::rand({20, 10});
  std::vector<Certificates> all;
  for (Arithmetic arithmetic : AllArithmetics()) {
    all.push_back(*Certify(*network, x, Options(Norm::kL2, arithmetic)));
  }
  EXPECT_EQ(all[0].forward_error.max().item<double>(), 0.0);
  EXPECT_LT(all[1].forward_error.max().item<double>(), 1e-11);
  EXPECT_GT(all[1].forward_error.min().item<double>(), 0.0);
  EXPECT_LT(all[2].forward_error.max().item<double>(), 1e-3);
  EXPECT_TRUE(
      (all[2].forward_error > 1e5 * all[1].forward_error).all().item<bool>());
  EXPECT_TRUE(
      (all[1].pairwise_radius <= all[0].pairwise_radius).all().item<bool>());
  EXPECT_TRUE(
      TensorsNear(all[2].pairwise_radius, all[0].pairwise_radius, 1e-3));
}

TEST(CertificateTest, PermutingTheClassesPermutesNothingElse) {
  torch::manual_seed(6);
  const at::Tensor weight = at::randn({4, 5});
  const at::Tensor order = Labels({2, 0, 3, 1});
  Sequential network = Chain({Affine(weight).ptr()});
  Sequential permuted = Chain({Affine(weight.index_select(0, order)).ptr()});
  const at::Tensor x = at::rand({12, 5});
  const auto a = Certify(*network, x, Options(Norm::kLinf));
  const auto b = Certify(*permuted, x, Options(Norm::kLinf));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_TRUE(TensorsNear(a->pairwise_radius, b->pairwise_radius, 1e-12));
  EXPECT_TRUE(order.index_select(0, b->predicted).equal(a->predicted));
  EXPECT_TRUE(order.index_select(0, b->runner_up).equal(a->runner_up));
}

TEST(CertificateTest, ScalingTheLogitsChangesNoRadius) {
  // From 1e-6 on: gloro's normaliser had a constant that swallowed small
  // weights.
  torch::manual_seed(7);
  const at::Tensor weight = at::randn({3, 5});
  const at::Tensor x = at::rand({10, 5});
  at::Tensor radii;
  for (double factor : {1.0, 1e-6, 1e6, 1e-20}) {
    Sequential network = Chain({Affine(weight * factor).ptr()});
    const auto certificates = Certify(*network, x, Options(Norm::kL2));
    ASSERT_TRUE(certificates.ok());
    if (!radii.defined()) radii = certificates->pairwise_radius;
    EXPECT_TRUE(TensorsNear(certificates->pairwise_radius, radii, 1e-6));
  }
}

TEST(CertificateTest, ABoundThroughAnotherNormIsTakenWhereItIsLess) {
  // Rows of unit l1 norm after an identity: from linf, the l1 norm of the
  // difference is the exact constant, less than twice the largest row.
  Sequential network = Chain({Affine(Matrix({{1, 0}, {0.9, 0.1}})).ptr()});
  const Certificates certificates =
      Certified(*network, Matrix({{1, 0}}), Labels({0}), Options(Norm::kLinf));
  EXPECT_NEAR(certificates.pairwise_radius.item<double>(), 0.1 / 0.2, 1e-6);
  EXPECT_NEAR(certificates.naive_radius.item<double>(), 0.1 / 2, 1e-6);
}

TEST(CertificateTest, AConstantNetworkHasTheLargestRadius) {
  Sequential network =
      Chain({Affine(at::zeros({4, 3})).ptr(),
             std::make_shared<ActivationImpl>(ActivationSpec::MaxMin()),
             Affine(at::ones({2, 4}), Matrix({{1, 0}})[0]).ptr()});
  for (Arithmetic arithmetic : AllArithmetics()) {
    CertificationOptions options = Options(Norm::kL2, arithmetic);
    options.max_radius = 1234.5;
    const Certificates certificates =
        Certified(*network, at::rand({2, 3}), Labels({0, 1}), options);
    EXPECT_EQ(certificates.lipschitz_constant, 0.0);
    EXPECT_EQ(certificates.pairwise_radius[0].item<double>(), 1234.5);
    EXPECT_EQ(certificates.pairwise_radius[1].item<double>(), 0.0);
  }
}

TEST(CertificateTest, LayersOfUnknownRoundingAreCertifiedInExactArithmetic) {
  const at::Tensor weight = Matrix({{1, 0}, {0, 1}});
  const at::Tensor x = Matrix({{0.75, 0.25}});
  Claiming opaque(Affine(weight).ptr(), 1.0);
  const auto exact = Certify(opaque, x, Options(Norm::kL2, Arithmetic::kExact));
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_NEAR(exact->pairwise_radius.item<double>(), 0.5 / std::sqrt(2.0),
              1e-9);
  EXPECT_TRUE(FailsWith(Certify(opaque, x, Options(Norm::kL2)),
                        absl::StatusCode::kFailedPrecondition, {"claiming"}));
  // As a body it still has pairwise constants.
  Sequential network =
      Chain({std::make_shared<Claiming>(Affine(weight).ptr(), 1.0),
             Affine(Matrix({{1, 0}, {0.5, 0}})).ptr()});
  const auto pairwise =
      Certify(*network, x, Options(Norm::kL2, Arithmetic::kExact));
  ASSERT_TRUE(pairwise.ok());
  EXPECT_NEAR(pairwise->pairwise_radius.item<double>(), 0.75, 1e-6);
  EXPECT_LT(pairwise->naive_radius.item<double>(), 0.3);
}

TEST(CertificateTest, DropoutChangesNothing) {
  Sequential plain = RandomMlp(5, {6, 8, 4}, ActivationSpec::MaxMin());
  std::vector<std::shared_ptr<LayerImpl>> layers;
  for (size_t i = 0; i < plain->size(); ++i) {
    layers.push_back(plain->layer(i));
    layers.push_back(std::make_shared<DropoutImpl>(0.5));
  }
  Sequential dropping = Chain(layers);
  dropping->train();
  const at::Tensor x = at::rand({20, 6});
  for (const Arithmetic arithmetic :
       {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
    CertificationOptions options;
    options.arithmetic = arithmetic;
    const auto expected = Certify(*plain, x, options);
    const auto certified = Certify(*dropping, x, options);
    ASSERT_TRUE(expected.ok()) << expected.status();
    ASSERT_TRUE(certified.ok()) << certified.status();
    EXPECT_TRUE(
        at::equal(certified->pairwise_radius, expected->pairwise_radius));
    EXPECT_TRUE((certified->pairwise_radius > 0).any().item<bool>());
  }
}

TEST(CertificateTest, NoBoundIsAnErrorAndNeverOne) {
  for (Arithmetic arithmetic : AllArithmetics()) {
    Sequential network =
        Chain({std::make_shared<Claiming>(Affine(Matrix({{1}, {2}})).ptr(), -1),
               Affine(Matrix({{1, 0}, {0, 1}})).ptr()});
    EXPECT_TRUE(FailsWith(
        Certify(*network, at::rand({1, 1}), Options(Norm::kL2, arithmetic)),
        absl::StatusCode::kFailedPrecondition, {"claiming", "no bound"}));
    Sequential infinite = Chain({std::make_shared<Claiming>(
        Affine(Matrix({{1}, {2}})).ptr(), kInfinity)});
    EXPECT_TRUE(FailsWith(
        Certify(*infinite, at::rand({1, 1}), Options(Norm::kL2, arithmetic)),
        absl::StatusCode::kFailedPrecondition, {"no finite"}));
  }
}

TEST(CertificateTest, WeightsThatAreNotFiniteAreAnError) {
  for (ConstraintKind kind : {ConstraintKind::kNone, ConstraintKind::kBjorck}) {
    Sequential network =
        RandomMlp(0, {3, 4, 2}, ActivationSpec::MaxMin(), kind);
    const torch::NoGradGuard no_grad;
    network->parameters()[0][0][0] = NAN;
    for (Arithmetic arithmetic : AllArithmetics()) {
      EXPECT_FALSE(
          Certify(*network, at::rand({1, 3}), Options(Norm::kL2, arithmetic))
              .ok());
    }
  }
}

TEST(CertificateTest, TheNetworkIsLeftAsItWas) {
  Sequential network = RandomMlp(8, {3, 4, 2}, ActivationSpec::MaxMin(),
                                 ConstraintKind::kSpectral);
  network->train();
  network->layer(1)->eval();
  std::vector<at::Tensor> before;
  for (const auto& item : network->named_parameters()) {
    before.push_back(item.value().detach().clone());
  }
  for (const auto& buffer : network->buffers())
    before.push_back(buffer.clone());
  for (Arithmetic arithmetic : AllArithmetics()) {
    ASSERT_TRUE(
        Certify(*network, at::rand({5, 3}), Options(Norm::kL2, arithmetic))
            .ok());
  }
  size_t i = 0;
  for (const auto& item : network->named_parameters()) {
    EXPECT_TRUE(item.value().equal(before[i++])) << item.key();
    EXPECT_EQ(item.value().scalar_type(), at::kFloat);
  }
  for (const auto& buffer : network->buffers()) {
    EXPECT_TRUE(buffer.equal(before[i++]));
  }
  EXPECT_TRUE(network->is_training());
  EXPECT_TRUE(network->layer(0)->is_training());
  EXPECT_FALSE(network->layer(1)->is_training());
}

TEST(CertificateTest, BatchesDoNotMatter) {
  Sequential network = RandomMlp(9, {5, 8, 3}, ActivationSpec::MaxMin());
  const at::Tensor x = at::rand({11, 5});
  CertificationOptions options = Options(Norm::kL2);
  const auto whole = Certify(*network, x, options);
  options.batch_size = 4;
  const auto parts = Certify(*network, x, options);
  ASSERT_TRUE(whole.ok() && parts.ok());
  EXPECT_TRUE(
      TensorsNear(whole->pairwise_radius, parts->pairwise_radius, 1e-12));
  EXPECT_TRUE(whole->labels.equal(parts->labels));
  EXPECT_EQ(parts->margin.size(0), 11);
}

TEST(CertificateTest, AFloat64NetworkHasNoFloat32Certificate) {
  Sequential network = RandomMlp(0, {3, 4, 2}, ActivationSpec::MaxMin());
  network->to(torch::kDouble);
  EXPECT_TRUE(FailsWith(Certify(*network, at::rand({1, 3}),
                                Options(Norm::kL2, Arithmetic::kFloat32)),
                        absl::StatusCode::kFailedPrecondition,
                        {"float32", "linear1.weight"}));
  EXPECT_TRUE(Certify(*network, at::rand({1, 3}), Options(Norm::kL2)).ok());
}

TEST(CertificateTest, ArgumentsThatDoNotFitAreErrors) {
  Sequential network = RandomMlp(0, {3, 4, 2}, ActivationSpec::MaxMin());
  const CertificationOptions options = Options(Norm::kL2);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const at::Tensor x = at::rand({2, 3});
  EXPECT_TRUE(FailsWith(Certify(*network, x, Labels({0}), options), invalid,
                        {"2 images", "1"}));
  EXPECT_TRUE(FailsWith(Certify(*network, x, Labels({0, 2}), options), invalid,
                        {"label 2", "2 classes"}));
  EXPECT_TRUE(FailsWith(Certify(*network, x, Labels({0, -1}), options), invalid,
                        {"label -1"}));
  EXPECT_TRUE(FailsWith(Certify(*network, x, at::Tensor(), options), invalid,
                        {"labels"}));
  EXPECT_TRUE(FailsWith(Certify(*network, x.to(at::kLong), options), invalid,
                        {"floating point"}));
  EXPECT_TRUE(FailsWith(Certify(*network, x.slice(0, 0, 0), options), invalid,
                        {"at least one"}));
  EXPECT_TRUE(
      FailsWith(Certify(*network, x / 0, options), invalid, {"image 0"}));
  EXPECT_FALSE(Certify(*network, at::rand({2, 4}), options).ok());
  CertificationOptions bad = options;
  bad.batch_size = 0;
  EXPECT_TRUE(FailsWith(Certify(*network, x, bad), invalid, {"batch_size"}));
  bad = options;
  bad.max_radius = kInfinity;
  EXPECT_TRUE(FailsWith(Certify(*network, x, bad), invalid, {"max_radius"}));
}

}  // namespace
}  // namespace lipschitz
