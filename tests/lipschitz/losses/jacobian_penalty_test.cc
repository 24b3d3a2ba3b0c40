#include "lipschitz/losses/jacobian_penalty.h"

#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/activations/functional.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/networks.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::GradientsAgree;
using testing::Jacobian;
using testing::RandomMlp;
using testing::SingularValues;
using testing::TensorsNear;

at::Tensor Input(const std::vector<int64_t>& shape, uint64_t seed = 7) {
  return torch::randn(shape, RandomSource(seed).generator(),
                      torch::TensorOptions(torch::kDouble))
      .requires_grad_(true);
}

// Of every example: the singular values of its Jacobian, descending.
std::vector<at::Tensor> Spectra(Sequential& network, const at::Tensor& x) {
  std::vector<at::Tensor> spectra;
  for (int64_t i = 0; i < x.size(0); ++i) {
    spectra.push_back(SingularValues(Jacobian(
        [&](const at::Tensor& example) { return network->forward(example); },
        x.slice(0, i, i + 1))));
  }
  return spectra;
}

at::Tensor LargestOf(const std::vector<at::Tensor>& spectra) {
  std::vector<at::Tensor> largest;
  for (const at::Tensor& values : spectra) largest.push_back(values[0]);
  return at::stack(largest);
}

at::Tensor SquaredSumsOf(const std::vector<at::Tensor>& spectra) {
  std::vector<at::Tensor> sums;
  for (const at::Tensor& values : spectra)
    sums.push_back(values.square().sum());
  return at::stack(sums);
}

struct Case {
  ActivationSpec activation;
  ConstraintKind constraint;
};

// Double precision, in training mode, where constraints are differentiated.
Sequential Network(const Case& test, int64_t seed) {
  Sequential network =
      RandomMlp(seed, {6, 12, 8, 5}, test.activation, test.constraint);
  network->to(torch::kDouble);
  return network;
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> kCases = {
      {ActivationSpec::Relu(), ConstraintKind::kNone},
      {ActivationSpec::MaxMin(), ConstraintKind::kNone},
      {ActivationSpec::GroupSort(4), ConstraintKind::kBjorck},
      {ActivationSpec::FullSort(), ConstraintKind::kSpectral},
      {ActivationSpec::MaxOut(2), ConstraintKind::kPolar},
      {ActivationSpec::MaxMin(), ConstraintKind::kStiefel},
      {ActivationSpec::LeakyRelu(), ConstraintKind::kParseval},
      {ActivationSpec::Abs(), ConstraintKind::kLinfRows},
  };
  return kCases;
}

TEST(JacobianPenalty, SpectralNormsAreThoseOfTheExactJacobians) {
  for (size_t i = 0; i < Cases().size(); ++i) {
    Sequential network = Network(Cases()[i], static_cast<int64_t>(i));
    // Spectral normalisation takes a step in every training forward.
    network->eval();
    const at::Tensor x = Input({7, 6});
    const at::Tensor exact = LargestOf(Spectra(network, x));
    const at::Tensor outputs = network->forward(x);
    EXPECT_TRUE(TensorsNear(
        JacobianSpectralNorms(outputs, x, RandomSource(1).generator(), 800),
        exact, 1e-5))
        << i;
    EXPECT_NEAR(
        SpectralJacobianPenalty(outputs, x, RandomSource(1).generator(), 800)
            .item<double>(),
        exact.mean().item<double>(), 1e-5);
  }
}

TEST(JacobianPenalty, SpectralEstimateIsFromBelowAndGrowsWithTheIterations) {
  for (size_t i = 0; i < Cases().size(); ++i) {
    Sequential network = Network(Cases()[i], static_cast<int64_t>(i));
    network->eval();
    const at::Tensor x = Input({40, 6});
    const at::Tensor exact = LargestOf(Spectra(network, x));
    at::Tensor before = at::zeros_like(exact);
    for (int iterations = 0; iterations <= 6; ++iterations) {
      const at::Tensor estimate = JacobianSpectralNorms(
          network->forward(x), x, RandomSource(3).generator(), iterations);
      EXPECT_TRUE((estimate <= exact * (1 + 1e-12)).all().item<bool>());
      EXPECT_TRUE((estimate >= before - 1e-12).all().item<bool>());
      before = estimate.detach();
    }
    const at::Tensor three = JacobianSpectralNorms(network->forward(x), x,
                                                   RandomSource(3).generator());
    EXPECT_GT((three / exact).mean().item<double>(), 0.9) << i;
  }
}

// The Jacobians diag(1, 0) and diag(0, 1) each have norm 1. The authors' code
// takes |mean_b J_b v_b|, which is 1/√2 here.
TEST(JacobianPenalty, MeanOfNormsIsNotTheNormOfTheMean) {
  const at::Tensor x = testing::Matrix({{1, -1}, {-1, 1}}).requires_grad_(true);
  const at::Tensor y = x.relu();
  EXPECT_NEAR(SpectralJacobianPenalty(y, x, RandomSource(1).generator(), 1)
                  .item<double>(),
              1.0, 1e-12);
  const at::Tensor u = at::ones({2}, at::kDouble);
  const at::Tensor jt_u = testing::Matrix({{1, 0}, {0, 1}}) * u;
  EXPECT_NEAR(jt_u.mean(0).norm().item<double>(), std::sqrt(0.5), 1e-12);
}

// Two Jacobians that cancel: their mean is 0, their norms are not.
TEST(JacobianPenalty, ExamplesDoNotMix) {
  const at::Tensor x = testing::Matrix({{2}, {-3}}).requires_grad_(true);
  const at::Tensor y = 0.5 * x.abs();
  EXPECT_TRUE(
      TensorsNear(JacobianSpectralNorms(y, x, RandomSource(1).generator(), 2),
                  at::tensor({0.5, 0.5}), 1e-12));
}

TEST(JacobianPenalty, FrobeniusNormsWithoutProjectionsAreExact) {
  for (size_t i = 0; i < Cases().size(); ++i) {
    Sequential network = Network(Cases()[i], static_cast<int64_t>(i));
    network->eval();
    const at::Tensor x = Input({7, 6});
    EXPECT_TRUE(
        TensorsNear(JacobianSquaredFrobeniusNorms(
                        network->forward(x), x, RandomSource(1).generator(), 0),
                    SquaredSumsOf(Spectra(network, x)), 1e-10));
  }
}

TEST(JacobianPenalty, FrobeniusEstimateIsUnbiased) {
  Sequential network = Network(Cases()[1], 1);
  const at::Tensor x = Input({1, 6});
  const double exact = SquaredSumsOf(Spectra(network, x)).item<double>();
  const RandomSource random(5);
  for (const int projections : {1, 4}) {
    const int64_t n = 20000;
    const at::Tensor many = x.detach().repeat({n, 1}).requires_grad_(true);
    const at::Tensor estimates = JacobianSquaredFrobeniusNorms(
        network->forward(many), many, random.generator(), projections);
    const double deviation =
        estimates.std().item<double>() / std::sqrt(static_cast<double>(n));
    EXPECT_NEAR(estimates.mean().item<double>(), exact, 5 * deviation);
    EXPECT_GT(deviation, 0.0);
    EXPECT_LT(deviation, 0.01 * exact);
  }
}

TEST(JacobianPenalty, ImagesAndFeatureMapsAreFlattened) {
  const at::Tensor weight = Input({3, 2, 3, 3}, 4);
  const at::Tensor x = Input({2, 2, 5, 5}, 5);
  const auto convolve = [&](const at::Tensor& image) {
    return at::conv2d(image, weight.detach());
  };
  const at::Tensor jacobian = Jacobian(convolve, x.slice(0, 0, 1));
  const at::Tensor y = convolve(x);
  EXPECT_TRUE(TensorsNear(
      JacobianSpectralNorms(y, x, RandomSource(1).generator(), 2000),
      SingularValues(jacobian)[0].expand({2}), 1e-6));
  EXPECT_TRUE(TensorsNear(
      JacobianSquaredFrobeniusNorms(y, x, RandomSource(1).generator(), 0),
      jacobian.square().sum().expand({2}), 1e-9));
}

// From the parameters of a network with GroupSort to a penalty.
testing::TensorFunction PenaltyOfParameters(
    const std::function<at::Tensor(const at::Tensor&, const at::Tensor&)>&
        penalty) {
  return [penalty](const std::vector<at::Tensor>& parameters) {
    const at::Tensor x = Input({4, 3});
    const at::Tensor hidden = functional::GroupSort(
        at::linear(x, parameters[0], parameters[1]), 2, -1);
    const at::Tensor smooth = at::tanh(at::linear(hidden, parameters[2]));
    return penalty(at::linear(smooth, parameters[3]), x);
  };
}

std::vector<at::Tensor> Parameters() {
  return {Input({6, 3}, 1), Input({6}, 2), Input({4, 6}, 3), Input({5, 4}, 4)};
}

TEST(JacobianPenalty, GradientsOfTheSpectralNormAgreeWithDifferences) {
  EXPECT_TRUE(GradientsAgree(
      PenaltyOfParameters([](const at::Tensor& y, const at::Tensor& x) {
        return JacobianSpectralNorms(y, x, RandomSource(1).generator(), 150);
      }),
      Parameters()));
}

TEST(JacobianPenalty, GradientsOfTheFrobeniusNormAgreeWithDifferences) {
  for (const int projections : {0, 1, 3}) {
    EXPECT_TRUE(GradientsAgree(
        PenaltyOfParameters([&](const at::Tensor& y, const at::Tensor& x) {
          return JacobianSquaredFrobeniusNorms(
              y, x, RandomSource(1).generator(), projections);
        }),
        Parameters()));
  }
}

// Through every constraint in training mode, as an experiment uses it: one
// forward for the loss and both penalties, one backward.
TEST(JacobianPenalty, GradientReachesEveryWeight) {
  for (size_t i = 0; i < Cases().size(); ++i) {
    Sequential network = Network(Cases()[i], static_cast<int64_t>(i));
    const at::Tensor x = Input({9, 6});
    const at::Tensor y = network->forward(x);
    const RandomSource random(1);
    (y.square().mean() + SpectralJacobianPenalty(y, x, random.generator()) +
     FrobeniusJacobianPenalty(y, x, random.generator()))
        .backward();
    for (const auto& parameter : network->named_parameters()) {
      const at::Tensor gradient = parameter.value().grad();
      ASSERT_TRUE(gradient.defined()) << parameter.key() << " " << i;
      EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
      EXPECT_GT(gradient.abs().max().item<double>(), 0.0)
          << parameter.key() << " " << i;
    }
  }
}

// Descent on the penalty alone makes an unconstrained network flat.
TEST(JacobianPenalty, DescentLowersIt) {
  for (const bool spectral : {true, false}) {
    Sequential network = Network(Cases()[1], 3);
    const RandomSource random(1);
    const at::Tensor x = Input({32, 6});
    const auto exact = [&] {
      return LargestOf(Spectra(network, x)).mean().item<double>();
    };
    const double before = exact();
    torch::optim::SGD optimizer(network->parameters(), 0.02);
    for (int step = 0; step < 60; ++step) {
      optimizer.zero_grad();
      const at::Tensor y = network->forward(x);
      (spectral ? SpectralJacobianPenalty(y, x, random.generator(), 1)
                : FrobeniusJacobianPenalty(y, x, random.generator()))
          .backward();
      optimizer.step();
    }
    EXPECT_LT(exact(), 0.5 * before) << spectral;
  }
}

TEST(JacobianPenalty, ZeroJacobianHasPenaltyAndGradientZero) {
  const at::Tensor x = Input({3, 2});
  const at::Tensor weight = at::zeros({4, 2}, at::kDouble).requires_grad_(true);
  const at::Tensor y = at::linear(x, weight);
  const at::Tensor penalty =
      SpectralJacobianPenalty(y, x, RandomSource(1).generator());
  EXPECT_EQ(penalty.item<double>(), 0.0);
  penalty.backward();
  EXPECT_TRUE(at::isfinite(weight.grad()).all().item<bool>());
}

TEST(JacobianPenalty, SameGeneratorGivesTheSameEstimate) {
  Sequential network = Network(Cases()[0], 1);
  const at::Tensor x = Input({5, 6});
  const at::Tensor y = network->forward(x);
  const auto estimate = [&](uint64_t seed) {
    return JacobianSpectralNorms(y, x, RandomSource(seed).generator(), 1);
  };
  EXPECT_TRUE(at::equal(estimate(1), estimate(1)));
  EXPECT_FALSE(at::equal(estimate(1), estimate(2)));
}

TEST(JacobianPenalty, MisuseIsAnErrorThatSaysWhy) {
  const RandomSource random(1);
  const at::Tensor x = Input({3, 2});
  const at::Tensor y = 2 * x;
  const auto expect = [](const std::function<void()>& call,
                         const std::string& text) {
    EXPECT_THAT(
        call, ::testing::ThrowsMessage<c10::Error>(::testing::HasSubstr(text)));
  };
  expect([&] { JacobianSpectralNorms(y, x.detach(), random.generator()); },
         "require");
  expect([&] { JacobianSpectralNorms(y.detach(), x, random.generator()); },
         "require");
  expect(
      [&] {
        JacobianSquaredFrobeniusNorms(y.slice(0, 0, 2), x, random.generator());
      },
      "[2, 2] and [3, 2]");
  expect(
      [&] {
        JacobianSpectralNorms(y.slice(0, 0, 0), x.slice(0, 0, 0),
                              random.generator());
      },
      "at least one example");
  expect([&] { JacobianSpectralNorms(y, x, random.generator(), -1); }, "-1");
  expect([&] { JacobianSquaredFrobeniusNorms(y, x, random.generator(), -2); },
         "-2");
}

}  // namespace
}  // namespace lipschitz
