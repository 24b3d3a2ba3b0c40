#include "lipschitz/linalg/polar.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/bjorck.h"
#include "lipschitz/linalg/gram.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::Matrix;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 7},  {7, 1},   {2, 2},   {2, 3},   {3, 2},  {5, 5},
    {6, 9}, {12, 7}, {33, 32}, {40, 40}, {30, 64}, {70, 20}};
const std::vector<double> kConditions = {1, 1.2, 3, 30, 1000};

struct Svd {
  at::Tensor u;
  at::Tensor values;
  at::Tensor vh;
};

Svd SvdOf(const at::Tensor& w) {
  const auto svd = at::linalg_svd(w.detach().to(at::kDouble),
                                  /*full_matrices=*/false);
  return {std::get<0>(svd), std::get<1>(svd), std::get<2>(svd)};
}

at::Tensor ExactPolarFactor(const at::Tensor& w) {
  const Svd svd = SvdOf(w);
  return at::mm(svd.u, svd.vh);
}

// From the singular value decomposition of a tall W = P Σ Qᵀ, with
// A = PᵀG Q: P (A_ij − A_ji) / (σ_i + σ_j) Qᵀ + (I − PPᵀ) G Q Σ⁻¹ Qᵀ.
at::Tensor ExactGradient(const at::Tensor& w, const at::Tensor& gradient) {
  if (w.size(0) < w.size(1)) {
    return ExactGradient(w.t(), gradient.t()).t();
  }
  const Svd svd = SvdOf(w);
  const at::Tensor g = gradient.to(at::kDouble);
  const at::Tensor a = at::mm(at::mm(svd.u.t(), g), svd.vh.t());
  const at::Tensor inner =
      (a - a.t()) / (svd.values.unsqueeze(0) + svd.values.unsqueeze(1));
  const at::Tensor normal = g - at::mm(svd.u, at::mm(svd.u.t(), g));
  return at::mm(at::mm(svd.u, inner), svd.vh) +
         at::mm(at::mm(normal, svd.vh.t()) / svd.values, svd.vh);
}

// Random singular vectors, values that are far apart, from 1 to 1 / condition.
at::Tensor WithCondition(int64_t rows, int64_t columns, double condition,
                         at::ScalarType type = at::kDouble) {
  const int64_t side = std::min(rows, columns);
  const at::Tensor values = at::logspace(0, -std::log10(condition), side, 10.0,
                                         at::TensorOptions(at::kDouble));
  const Svd svd = SvdOf(at::randn({rows, columns}, at::kDouble));
  return at::mm(svd.u * values, svd.vh).to(type);
}

at::Tensor GradientOf(const at::Tensor& w, const at::Tensor& g,
                      const PolarOptions& options = {}) {
  const at::Tensor leaf = w.detach().clone().requires_grad_(true);
  const at::Tensor u = PolarFactor(leaf, options).value().weight;
  return torch::autograd::grad({(u * g).sum()}, {leaf})[0];
}

double RelativeError(const at::Tensor& x, const at::Tensor& exact) {
  return ((x.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

TEST(PolarFactor, IsThatOfTheSvd) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const double condition : kConditions) {
        for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
          const at::Tensor w =
              3.0 * WithCondition(rows, columns, condition, type);
          const at::Tensor before = w.clone();
          const auto result = PolarFactor(w);
          ASSERT_TRUE(result.ok()) << result.status();
          EXPECT_EQ(result->weight.scalar_type(), type);
          EXPECT_EQ(result->weight.sizes(), w.sizes());
          EXPECT_TRUE(result->weight.is_contiguous());
          EXPECT_TRUE(w.equal(before));
          // Rounding of W turns the singular vectors of the smallest value by
          // the condition number times as much.
          const double unit = type == at::kFloat ? 1.2e-7 : 2.2e-16;
          EXPECT_TRUE(TensorsNear(result->weight, ExactPolarFactor(w),
                                  10 * unit * (10 + condition)))
              << rows << "x" << columns << ", condition " << condition;
          const double side = static_cast<double>(std::min(rows, columns));
          EXPECT_LE(OrthonormalityDefect(result->weight),
                    2 * (type == at::kFloat ? 1e-6 : 1e-14) * std::sqrt(side))
              << rows << "x" << columns << ", condition " << condition;
        }
      }
    }
  }
}

TEST(PolarFactor, ClosedForms) {
  EXPECT_TRUE(TensorsNear(PolarFactor(Matrix({{3, 4}}))->weight,
                          Matrix({{0.6, 0.8}}), 1e-15));
  EXPECT_TRUE(
      TensorsNear(PolarFactor(Matrix({{-5}}))->weight, Matrix({{-1}}), 1e-15));
  EXPECT_TRUE(TensorsNear(PolarFactor(Matrix({{4, 0}, {0, -0.1}}))->weight,
                          Matrix({{1, 0}, {0, -1}}), 1e-14));
  // Rotation by a quarter times the symmetric ((2, 1), (1, 2)).
  EXPECT_TRUE(TensorsNear(PolarFactor(Matrix({{-1, -2}, {2, 1}}))->weight,
                          Matrix({{0, -1}, {1, 0}}), 1e-14));
}

TEST(PolarFactor, ReadsViewsAsTheyAre) {
  at::manual_seed(3);
  const at::Tensor base = at::randn({20, 24}, at::kDouble);
  for (const at::Tensor& w :
       {base.t(), base.slice(1, 2, 11), base.slice(0, 0, 20, 3).t(),
        base.slice(1, 0, 24, 4)}) {
    EXPECT_TRUE(
        TensorsNear(PolarFactor(w)->weight, ExactPolarFactor(w), 1e-11));
    const at::Tensor g = at::randn(w.sizes(), at::kDouble);
    const at::Tensor leaf = w.detach().requires_grad_(true);
    const at::Tensor gradient = torch::autograd::grad(
        {(PolarFactor(leaf)->weight * g).sum()}, {leaf})[0];
    EXPECT_LE(RelativeError(gradient, ExactGradient(w, g)), 1e-9);
  }
}

TEST(PolarFactor, GradientIsTheExactOne) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      if (rows * columns == 1) continue;  // it is constant
      for (const double condition : kConditions) {
        for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
          const at::Tensor w = WithCondition(rows, columns, condition, type);
          const at::Tensor g = at::randn({rows, columns}, type);
          const at::Tensor gradient = GradientOf(w, g);
          EXPECT_EQ(gradient.scalar_type(), type);
          EXPECT_EQ(gradient.sizes(), w.sizes());
          const double tolerance =
              type == at::kFloat ? 1e-4 * std::max(1.0, condition / 30) : 1e-9;
          EXPECT_LE(RelativeError(gradient, ExactGradient(w, g)), tolerance)
              << rows << "x" << columns << ", condition " << condition;
        }
      }
    }
  }
}

// Its derivative is singular for equal singular values, so not those.
TEST(PolarFactor, GradientIsThatOfTheDifferentiatedSvd) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 7}, {7, 1}, {2, 2}, {2, 5}, {6, 6}, {5, 9}, {12, 7}}) {
      for (const double condition : {3.0, 30.0, 1000.0}) {
        const at::Tensor w = WithCondition(rows, columns, condition);
        const at::Tensor g = at::randn({rows, columns}, at::kDouble);
        const at::Tensor leaf = w.clone().requires_grad_(true);
        const auto svd = at::linalg_svd(leaf, /*full_matrices=*/false);
        const at::Tensor u = at::mm(std::get<0>(svd), std::get<2>(svd));
        const at::Tensor expected =
            torch::autograd::grad({(u * g).sum()}, {leaf})[0];
        EXPECT_LE(RelativeError(GradientOf(w, g), expected), 1e-9)
            << rows << "x" << columns << ", condition " << condition;
        const at::Tensor single =
            GradientOf(w.to(at::kFloat), g.to(at::kFloat));
        EXPECT_LE(RelativeError(single, expected),
                  1e-4 * std::max(1.0, condition / 30))
            << rows << "x" << columns << ", condition " << condition;
      }
    }
  }
}

TEST(PolarFactor, GradientAgreesWithFiniteDifferences) {
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 5}, {5, 1}, {2, 2}, {3, 4}, {4, 3}, {5, 5}}) {
    for (const double condition : {1.0, 1.2, 3.0, 30.0}) {
      at::manual_seed(rows + 10 * columns);
      EXPECT_TRUE(GradientsAgree(
          [](const std::vector<at::Tensor>& in) {
            return PolarFactor(in[0])->weight;
          },
          {WithCondition(rows, columns, condition)}))
          << rows << "x" << columns << ", condition " << condition;
    }
  }
}

TEST(PolarFactor, ValueAndGradientAreThoseOfConvergedBjorck) {
  for (const auto& [rows, columns] : kShapes) {
    if (rows * columns == 1) continue;
    at::manual_seed(rows + columns);
    for (const double condition : {1.2, 3.0, 30.0}) {
      const at::Tensor w = WithCondition(rows, columns, condition);
      const at::Tensor g = at::randn({rows, columns}, at::kDouble);
      for (const int order : {1, 2}) {
        BjorckOptions options;
        options.order = order;
        options.iterations = 40;
        const at::Tensor leaf = w.clone().requires_grad_(true);
        const at::Tensor unrolled = Bjorck(leaf, options).value().weight;
        const at::Tensor expected =
            torch::autograd::grad({(unrolled * g).sum()}, {leaf})[0];
        EXPECT_TRUE(TensorsNear(PolarFactor(w)->weight, unrolled, 1e-12));
        EXPECT_LE(RelativeError(GradientOf(w, g), expected), 1e-10)
            << rows << "x" << columns << ", condition " << condition;
      }
    }
  }
}

// U does not change when H does, so the gradient has no part along U S for any
// symmetric S (tall), S = H among them.
TEST(PolarFactorGradient, HasNoPartThatChangesTheSymmetricFactor) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const double condition : kConditions) {
        const at::Tensor w = WithCondition(rows, columns, condition);
        const at::Tensor u = ExactPolarFactor(w);
        const at::Tensor g = at::randn({rows, columns}, at::kDouble);
        const at::Tensor gradient = PolarFactorGradient(w, u, g);
        const double size = gradient.norm().item<double>();
        EXPECT_NEAR((gradient * w).sum().item<double>(), 0.0,
                    1e-12 * (1 + size));
        const at::Tensor product =
            rows >= columns ? at::mm(u.t(), gradient) : at::mm(gradient, u.t());
        EXPECT_TRUE(TensorsNear(product, -product.t(), 1e-12 * (1 + size)))
            << rows << "x" << columns << ", condition " << condition;
      }
    }
  }
}

TEST(PolarFactorGradient, IsLinearInTheGradientAndHasNoGraph) {
  at::manual_seed(4);
  for (const auto& [rows, columns] : kShapes) {
    for (const double condition : {1.2, 1000.0}) {
      const at::Tensor w =
          WithCondition(rows, columns, condition).requires_grad_(true);
      const at::Tensor u = ExactPolarFactor(w);
      const at::Tensor a = at::randn({rows, columns}, at::kDouble);
      const at::Tensor b = at::randn({rows, columns}, at::kDouble);
      const at::Tensor of_sum = PolarFactorGradient(w, u, 2 * a - 3 * b);
      const at::Tensor sum =
          2 * PolarFactorGradient(w, u, a) - 3 * PolarFactorGradient(w, u, b);
      EXPECT_TRUE(
          TensorsNear(of_sum, sum, 1e-11 * (1 + sum.norm().item<double>())));
      EXPECT_FALSE(of_sum.requires_grad());
      EXPECT_TRUE(PolarFactorGradient(w, u, at::zeros_like(a))
                      .equal(at::zeros_like(a)));
    }
  }
}

// The polar factor of s W is that of W, its gradient that of W over s.
TEST(PolarFactor, DoesNotDependOnTheScale) {
  at::manual_seed(5);
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 9}, {6, 6}, {5, 9}, {9, 5}}) {
    const at::Tensor w = WithCondition(rows, columns, 3.0);
    const at::Tensor g = at::randn({rows, columns}, at::kDouble);
    const at::Tensor exact = ExactPolarFactor(w);
    const at::Tensor gradient = ExactGradient(w, g);
    for (const double scale :
         {1e-37, 1e-30, 1e-20, 1e-10, 1e-3, 1e3, 1e10, 1e20, 1e30, 1e37}) {
      const at::Tensor scaled = (w * scale).to(at::kFloat);
      const auto result = PolarFactor(scaled);
      ASSERT_TRUE(result.ok()) << scale << ": " << result.status();
      EXPECT_TRUE(TensorsNear(result->weight, exact, 2e-6)) << scale;
      EXPECT_GT(result->norm, 0.9 * scale);
      EXPECT_LT(result->norm, 1.16 * scale);
      // Representable, with room for the products on the way.
      if (scale < 1e-30 || scale > 1e30) continue;
      EXPECT_LE(
          RelativeError(
              GradientOf(scaled, g.to(at::kFloat)).to(at::kDouble) * scale,
              gradient),
          1e-5)
          << scale;
    }
    for (const double scale : {1e-300, 1e-160, 1e160, 1e300}) {
      const auto result = PolarFactor(w * scale);
      ASSERT_TRUE(result.ok()) << scale << ": " << result.status();
      EXPECT_TRUE(TensorsNear(result->weight, exact, 1e-12)) << scale;
      EXPECT_LE(RelativeError(GradientOf(w * scale, g) * scale, gradient), 1e-9)
          << scale;
    }
  }
}

TEST(PolarFactor, NormIsAnEstimateOfTheSpectralNorm) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const at::Tensor& w : {WithCondition(rows, columns, 1.05),
                                  WithCondition(rows, columns, 30),
                                  at::randn({rows, columns}, at::kDouble)}) {
        const double norm = SingularValues(w).max().item<double>();
        const double estimate = PolarFactor(w)->norm;
        EXPECT_GE(estimate, 0.85 * norm) << rows << "x" << columns;
        EXPECT_LE(estimate, 1.15 * norm) << rows << "x" << columns;
      }
    }
  }
}

TEST(PolarFactor, IterationsAreFew) {
  at::manual_seed(6);
  // Known orthonormal, up to its length: none, or one product.
  const at::Tensor u = ExactPolarFactor(at::randn({20, 30}, at::kDouble));
  EXPECT_EQ(PolarFactor(7 * u)->iterations, 0);
  EXPECT_LE(PolarFactor((0.01 * u).to(at::kFloat))->iterations, 1);
  EXPECT_LE(
      PolarFactor(u + 1e-4 * at::randn({20, 30}, at::kDouble))->iterations, 2);
  for (const auto& [condition, limit] :
       std::vector<std::pair<double, int>>{{3, 5}, {100, 8}, {1e4, 12}}) {
    EXPECT_LE(PolarFactor(WithCondition(20, 30, condition))->iterations, limit)
        << condition;
    EXPECT_LE(
        PolarFactor(WithCondition(30, 20, condition, at::kFloat))->iterations,
        limit)
        << condition;
  }
}

TEST(PolarFactor, ConvergesForSpectraOfEveryKind) {
  // Among them clusters near one with a few values outside, for which the best
  // polynomials of badly estimated intervals repeat themselves.
  at::manual_seed(3);
  for (int trial = 0; trial < 300; ++trial) {
    const auto n = at::randint(2, 100, {1}).item<int64_t>();
    const double spread = 4.0 * at::rand({1}).item<double>();
    const double power = 5.0 * at::rand({1}).item<double>();
    at::Tensor values =
        at::pow(10.0, -spread * at::rand({n}, at::kDouble).pow(power));
    if (trial % 3 == 0) {
      values = at::ones({n}, at::kDouble) + 0.01 * at::randn({n}, at::kDouble);
      const int64_t outside = std::min<int64_t>(n, 1 + trial % 4);
      values.narrow(0, 0, outside)
          .copy_(0.05 + 2.0 * at::rand({outside}, at::kDouble));
    }
    const auto svd = at::linalg_svd(at::randn({n, n}, at::kDouble));
    const at::Tensor w = at::mm(std::get<0>(svd) * values, std::get<2>(svd))
                             .to(trial % 2 == 0 ? at::kFloat : at::kDouble);
    const auto result = PolarFactor(w);
    ASSERT_TRUE(result.ok()) << trial << ": " << result.status();
    EXPECT_LE(result->iterations, 16) << trial;
    EXPECT_LE(OrthonormalityDefect(result->weight), 1e-4) << trial;
  }
}

TEST(PolarFactor, ToleranceIsMetAndSavesIterations) {
  at::manual_seed(7);
  for (const auto& [rows, columns] : kShapes) {
    for (const double condition : kConditions) {
      const at::Tensor w = WithCondition(rows, columns, condition);
      int previous = 0;
      for (const double tolerance : {1e-1, 1e-2, 1e-4, 1e-8}) {
        PolarOptions options;
        options.tolerance = tolerance;
        const PolarResult result = PolarFactor(w, options).value();
        const double side = static_cast<double>(std::min(rows, columns));
        EXPECT_LE(OrthonormalityDefect(result.weight),
                  1.1 * tolerance * std::sqrt(side) + 1e-14)
            << rows << "x" << columns << ", condition " << condition;
        EXPECT_GE(result.iterations, previous);
        previous = result.iterations;
      }
      EXPECT_LE(previous, PolarFactor(w)->iterations);
    }
  }
}

TEST(PolarFactor, IsDeterministicAndLeavesTheGeneratorAlone) {
  at::manual_seed(8);
  const at::Tensor w = at::randn({17, 23});
  const at::Tensor g = at::randn({17, 23});
  at::manual_seed(1);
  const at::Tensor first = PolarFactor(w)->weight;
  const at::Tensor gradient = GradientOf(w, g);
  const at::Tensor next = at::randn({3});
  at::manual_seed(2);
  EXPECT_TRUE(PolarFactor(w)->weight.equal(first));
  EXPECT_TRUE(GradientOf(w, g).equal(gradient));
  at::manual_seed(1);
  EXPECT_TRUE(at::randn({3}).equal(next));
}

TEST(PolarFactor, HasAGraphOnlyWhereAGradientIsAskedFor) {
  const at::Tensor plain = at::eye(3, 4);
  EXPECT_FALSE(PolarFactor(plain)->weight.requires_grad());
  const at::Tensor leaf = plain.clone().requires_grad_(true);
  EXPECT_TRUE(PolarFactor(leaf)->weight.requires_grad());
  {
    c10::NoGradGuard no_grad;
    EXPECT_FALSE(PolarFactor(leaf)->weight.requires_grad());
  }
  // The same number, with or without.
  EXPECT_TRUE(
      PolarFactor(leaf)->weight.detach().equal(PolarFactor(plain)->weight));
}

TEST(PolarFactor, SecondDerivativeIsAnErrorThatSaysSo) {
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{3, 4}, {4, 3}, {3, 3}}) {
    at::manual_seed(9);
    const at::Tensor w =
        at::randn({rows, columns}, at::kDouble).requires_grad_(true);
    const at::Tensor g = at::randn({rows, columns}, at::kDouble);
    const at::Tensor gradient = torch::autograd::grad(
        {(PolarFactor(w)->weight * g).sum()}, {w}, {}, /*retain_graph=*/true,
        /*create_graph=*/true)[0];
    EXPECT_LE(RelativeError(gradient.detach(), ExactGradient(w, g)), 1e-9);
    EXPECT_THAT([&] { torch::autograd::grad({gradient.square().sum()}, {w}); },
                ThrowsMessage<c10::Error>(HasSubstr("second derivative")));
  }
}

// What a penalty on the gradient with respect to the input takes: the weight is
// differentiated once.
TEST(PolarFactor, PenaltyOnTheInputsGradientHasTheRightGradient) {
  at::manual_seed(10);
  const at::Tensor x = at::randn({5, 3}, at::kDouble);
  EXPECT_TRUE(GradientsAgree(
      [&](const std::vector<at::Tensor>& in) {
        const at::Tensor input = x.clone().requires_grad_(true);
        const at::Tensor y =
            at::mm(input, PolarFactor(in[0])->weight.t()).tanh();
        return torch::autograd::grad({y.sum()}, {input}, {},
                                     /*retain_graph=*/true,
                                     /*create_graph=*/true)[0]
            .norm(2, /*dim=*/1);
      },
      {at::randn({4, 3}, at::kDouble)}));
}

TEST(PolarFactor, TwoFactorsOfOneWeightAddTheirGradients) {
  at::manual_seed(11);
  const at::Tensor w = at::randn({4, 6}, at::kDouble);
  const at::Tensor a = at::randn({4, 6}, at::kDouble);
  const at::Tensor b = at::randn({4, 6}, at::kDouble);
  const at::Tensor leaf = w.clone().requires_grad_(true);
  const at::Tensor first = PolarFactor(leaf)->weight;
  const at::Tensor second = PolarFactor(leaf)->weight;
  ((first * a).sum() + (second * b).sum()).backward();
  EXPECT_LE(RelativeError(leaf.grad(), ExactGradient(w, a + b)), 1e-9);
}

TEST(PolarFactor, RefusesWhatIsNoFiniteMatrix) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    at::Tensor w = at::eye(2, 3);
    w[1][2] = bad;
    EXPECT_TRUE(FailsWith(PolarFactor(w), StatusCode::kInvalidArgument,
                          {"polar factor", "1 of 6", "(1, 2)"}));
  }
  EXPECT_TRUE(FailsWith(PolarFactor(at::Tensor()), StatusCode::kInvalidArgument,
                        {"polar factor", "no tensor"}));
  EXPECT_TRUE(FailsWith(PolarFactor(at::zeros({0, 5})),
                        StatusCode::kInvalidArgument, {"(0, 5)"}));
  EXPECT_TRUE(FailsWith(PolarFactor(at::zeros({5, 0})),
                        StatusCode::kInvalidArgument, {"(5, 0)"}));
  EXPECT_TRUE(FailsWith(PolarFactor(at::ones({3, 3}, at::kLong)),
                        StatusCode::kInvalidArgument, {"Long"}));
  EXPECT_TRUE(FailsWith(PolarFactor(at::ones({2, 3, 4})),
                        StatusCode::kInvalidArgument, {"(2, 3, 4)"}));
  EXPECT_TRUE(FailsWith(PolarFactor(at::ones({3})),
                        StatusCode::kInvalidArgument, {"(3)"}));
}

TEST(PolarFactor, RefusesAMatrixWithoutFullRank) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    EXPECT_TRUE(FailsWith(PolarFactor(at::zeros({2, 3}, type)),
                          StatusCode::kInvalidArgument,
                          {"(2, 3)", "it is zero"}));
    // A zero row, and a zero column of a tall one.
    at::Tensor w = at::eye(4, 6, type);
    w[2].zero_();
    EXPECT_TRUE(FailsWith(
        PolarFactor(w), StatusCode::kInvalidArgument,
        {"(4, 6)", "after 40 iterations", "is still", "rank deficient"}));
    EXPECT_TRUE(FailsWith(PolarFactor(w.t()), StatusCode::kInvalidArgument,
                          {"(6, 4)", "after 40 iterations", "rank deficient"}));
  }
}

TEST(PolarFactor, SaysWhenTheIterationsDidNotSuffice) {
  at::manual_seed(12);
  const at::Tensor w = WithCondition(8, 5, 1000);
  const int needed = PolarFactor(w)->iterations;
  ASSERT_GT(needed, 2);
  PolarOptions options;
  options.max_iterations = needed;
  EXPECT_TRUE(PolarFactor(w, options).ok());
  options.max_iterations = 1;
  EXPECT_TRUE(FailsWith(PolarFactor(w, options), StatusCode::kInvalidArgument,
                        {"(8, 5)", "after 1 iterations", "is still"}));
}

TEST(PolarOptions, OutOfRangeAreErrorsWithTheNumber) {
  PolarOptions options;
  EXPECT_TRUE(options.Validate().ok());
  for (const int iterations : {0, -2}) {
    options.max_iterations = iterations;
    EXPECT_TRUE(FailsWith(options.Validate(), StatusCode::kInvalidArgument,
                          {"polar", "got " + std::to_string(iterations)}));
    EXPECT_TRUE(FailsWith(PolarFactor(at::eye(2), options),
                          StatusCode::kInvalidArgument, {"iteration"}));
  }
  options = PolarOptions();
  for (const double tolerance : {-1e-3, kNan}) {
    options.tolerance = tolerance;
    EXPECT_TRUE(FailsWith(PolarFactor(at::eye(2), options),
                          StatusCode::kInvalidArgument, {"tolerance"}));
  }
}

}  // namespace
}  // namespace lipschitz
