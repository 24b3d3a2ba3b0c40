#include "lipschitz/linalg/bjorck.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/power_iteration.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;
using lipschitz::testing::GradientCheckOptions;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::Matrix;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;

const std::vector<BjorckScaling> kScalings = {
    BjorckScaling::kNone, BjorckScaling::kSqrtSize,
    BjorckScaling::kPowerIteration, BjorckScaling::kUpperBound};

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 7}, {7, 1}, {5, 9}, {9, 5}, {6, 6}, {2, 30}, {30, 2}};

// Orders 2 to 4 also send singular values above these away from 1.
const std::map<int, double> kLargestConvergent = {
    {1, std::sqrt(3.0)}, {2, std::sqrt(7.0 / 3)}, {3, 1.588}, {4, 1.494}};

BjorckOptions Unscaled(int order, int iterations) {
  BjorckOptions options;
  options.order = order;
  options.iterations = iterations;
  options.scaling = BjorckScaling::kNone;
  return options;
}

// The nearest matrix with orthonormal rows or columns, U Vᵀ of the float64 SVD.
at::Tensor PolarFactor(const at::Tensor& w) {
  const auto svd = at::linalg_svd(w.to(at::kDouble), /*full_matrices=*/false);
  return at::mm(std::get<0>(svd), std::get<2>(svd));
}

// With the given singular values, random singular vectors.
at::Tensor WithSingularValues(int64_t rows, int64_t columns,
                              const at::Tensor& values) {
  const auto svd = at::linalg_svd(at::randn({rows, columns}, at::kDouble),
                                  /*full_matrices=*/false);
  return at::mm(std::get<0>(svd) * values, std::get<2>(svd));
}

const std::vector<std::vector<double>> kGolden = {{.6, -.2, .1}, {.3, .5, -.4}};

TEST(Bjorck, GoldenValuesOfOneIteration) {
  const std::map<int, at::Tensor> expected = {
      {1, Matrix({{.7710, -.2690, .1375}, {.3630, .6290, -.5020}})},
      {2, Matrix({{.8447775, -.3034025, .1571538},
                  {.3814950, .6794450, -.5413750}})},
      {3, Matrix({{.8804349, -.3219985, .1681293},
                  {.3867420, .7016105, -.5584364}})},
      {4, Matrix({{.8986593, -.3323745, .1743926},
                  {.3877895, .7119588, -.5662848}})}};
  for (const auto& [order, weight] : expected) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor w = Matrix(kGolden).to(type);
      const BjorckResult wide = Bjorck(w, Unscaled(order, 1)).value();
      EXPECT_TRUE(TensorsNear(wide.weight, weight, 5e-7)) << order;
      EXPECT_EQ(wide.weight.scalar_type(), type);
      const BjorckResult tall = Bjorck(w.t(), Unscaled(order, 1)).value();
      EXPECT_TRUE(TensorsNear(tall.weight, weight.t(), 5e-7)) << order;
    }
  }
}

TEST(Bjorck, GoldenValuesOfTwentyIterations) {
  const BjorckResult result = Bjorck(Matrix(kGolden), Unscaled(1, 20)).value();
  EXPECT_TRUE(TensorsNear(result.weight,
                          Matrix({{.9201235, -.3462406, .1830035},
                                  {.3859379, .7222951, -.5738829}}),
                          5e-7));
  EXPECT_EQ(result.iterations, 20);
}

TEST(Bjorck, GoldenValuesOfAnotherBeta) {
  BjorckOptions options = Unscaled(1, 1);
  options.beta = 0.25;
  EXPECT_TRUE(TensorsNear(
      Bjorck(Matrix(kGolden), options).value().weight,
      Matrix({{.6855, -.2345, .11875}, {.3315, .5645, -.4510}}), 1e-12));
}

TEST(Bjorck, GoldenValuesOfANumber) {
  const std::map<int, std::vector<double>> expected = {
      {1, {.6875, .8687744, .9752996}},
      {2, {.7929688, .9811176, .9999834}},
      {3, {.8588867, .9985422, 1.0}},
      {4, {.9021454, .9999399, 1.0}}};
  for (const auto& [order, values] : expected) {
    for (int iterations = 1; iterations <= 3; ++iterations) {
      const auto result =
          Bjorck(Matrix({{.5}}), Unscaled(order, iterations)).value();
      EXPECT_NEAR(result.weight.item<double>(), values[iterations - 1], 5e-7)
          << "order " << order << ", " << iterations << " iterations";
      EXPECT_EQ(result.iterations, iterations);
    }
  }
}

TEST(Bjorck, GoldenSafeScale) {
  BjorckOptions options = Unscaled(1, 1);
  options.scaling = BjorckScaling::kSqrtSize;
  const BjorckResult result = Bjorck(Matrix(kGolden), options).value();
  EXPECT_NEAR(result.scale, 2.4494898, 1e-7);
  EXPECT_TRUE(TensorsNear(
      result.weight,
      Bjorck(Matrix(kGolden) / std::sqrt(6.0), Unscaled(1, 1)).value().weight,
      1e-15));
}

TEST(Bjorck, ConvergesToThePolarFactorForEveryOrderScalingAndShape) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      const int64_t rank = std::min(rows, columns);
      const at::Tensor w = WithSingularValues(
          rows, columns, 0.1 + at::rand({rank}, at::kDouble) * 1.3);
      const at::Tensor polar = PolarFactor(w);
      for (int order = 1; order <= 4; ++order) {
        for (BjorckScaling scaling : kScalings) {
          BjorckOptions options;
          options.order = order;
          options.scaling = scaling;
          options.iterations = 40;
          const auto result = Bjorck(w, options);
          ASSERT_TRUE(result.ok()) << result.status();
          EXPECT_TRUE(TensorsNear(result->weight, polar, 1e-10))
              << "order " << order << ", " << BjorckScalingName(scaling) << ", "
              << rows << "x" << columns;
        }
      }
    }
  }
}

TEST(Bjorck, ConvergesInFloat32) {
  at::manual_seed(4);
  for (const auto& [rows, columns] : kShapes) {
    const int64_t rank = std::min(rows, columns);
    const at::Tensor w = WithSingularValues(
        rows, columns, 0.1 + at::rand({rank}, at::kDouble) * 1.3);
    BjorckOptions options;
    options.iterations = 40;
    const BjorckResult result = Bjorck(w.to(at::kFloat), options).value();
    EXPECT_TRUE(TensorsNear(result.weight, PolarFactor(w), 5e-6));
    EXPECT_LE(result.largest_singular_value, 1 + 1e-5);
  }
}

TEST(Bjorck, ConvergesBelowTheLimitOfItsOrderAndNotAboveIt) {
  for (const auto& [order, limit] : kLargestConvergent) {
    const auto below =
        Bjorck(Matrix({{0.999 * limit}}), Unscaled(order, 100)).value();
    EXPECT_NEAR(below.weight.item<double>(), 1.0, 1e-12) << order;
    BjorckOptions options = Unscaled(order, 100);
    options.report = false;
    const auto above = Bjorck(Matrix({{1.003 * limit}}), options);
    // The wrong sign, or an error; never a weight that is not finite.
    if (above.ok()) {
      EXPECT_NEAR(above->weight.item<double>(), -1.0, 0.1) << order;
    } else {
      EXPECT_TRUE(FailsWith(above, absl::StatusCode::kInvalidArgument,
                            {"diverged", "(1, 1)"}));
    }
  }
}

TEST(Bjorck, SaysThatItDivergedInsteadOfReturningNan) {
  for (int order = 1; order <= 4; ++order) {
    BjorckOptions options = Unscaled(order, 100);
    options.report = false;
    EXPECT_TRUE(FailsWith(Bjorck(Matrix({{3.0, 0.1}, {0.2, 4.0}}), options),
                          absl::StatusCode::kInvalidArgument, {"diverged"}))
        << order;
  }
}

TEST(Bjorck, ScalingDoesNotChangeTheLimit) {
  at::manual_seed(5);
  const at::Tensor w = at::randn({6, 10}, at::kDouble);
  BjorckOptions options;
  options.iterations = 40;
  for (double scale : {1e-3, 1.0, 1e3}) {
    EXPECT_TRUE(TensorsNear(Bjorck(w * scale, options).value().weight,
                            PolarFactor(w), 1e-10));
  }
}

// The squares of such entries underflow or overflow.
TEST(Bjorck, ConvergesForTinyAndHugeEntries) {
  at::manual_seed(6);
  const at::Tensor w = WithSingularValues(
      6, 10, at::linspace(0.5, 2.0, 6, at::TensorOptions(at::kDouble)));
  const at::Tensor polar = PolarFactor(w);
  for (BjorckScaling scaling :
       {BjorckScaling::kPowerIteration, BjorckScaling::kUpperBound}) {
    BjorckOptions options;
    options.scaling = scaling;
    options.iterations = 40;
    for (double scale : {1e-35, 1e-30, 1e-23, 1e-19, 1e19, 1e25, 1e35}) {
      const auto result = Bjorck((w * scale).to(at::kFloat), options);
      ASSERT_TRUE(result.ok()) << scale << ": " << result.status();
      EXPECT_TRUE(TensorsNear(result->weight, polar, 1e-5)) << scale;
    }
    for (double scale : {1e-300, 1e-200, 1e-160, 1e160, 1e300}) {
      const auto result = Bjorck(w * scale, options);
      ASSERT_TRUE(result.ok()) << scale << ": " << result.status();
      EXPECT_TRUE(TensorsNear(result->weight, polar, 1e-10)) << scale;
    }
  }
}

TEST(Bjorck, UpperBoundScaleIsNotBelowTheNormAndNotFarAbove) {
  for (int seed = 0; seed < 20; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      BjorckOptions options;
      options.iterations = 1;
      const double scale = Bjorck(w, options).value().scale;
      const at::Tensor values = SingularValues(w);
      const double norm = values[0].item<double>();
      EXPECT_GE(scale, norm * (1 - 1e-14));
      // No more than any of the three bounds that it is the least of.
      const double gram = std::sqrt(values.square().norm().item<double>());
      const double holder = std::sqrt(w.abs().sum(0).max().item<double>() *
                                      w.abs().sum(1).max().item<double>());
      EXPECT_LE(scale, std::min(gram, holder) * (1 + 1e-14));
    }
  }
}

TEST(Bjorck, ReportIsTrue) {
  for (int seed = 0; seed < 5; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (int iterations : {1, 4}) {
        BjorckOptions options;
        options.iterations = iterations;
        const auto result =
            Bjorck(at::randn({rows, columns}, at::kDouble), options).value();
        const at::Tensor values = SingularValues(result.weight);
        EXPECT_NEAR(result.largest_singular_value, values[0].item<double>(),
                    1e-12);
        // A square root of a difference: half the digits near zero.
        EXPECT_NEAR(result.smallest_singular_value, values.min().item<double>(),
                    1e-7);
        EXPECT_NEAR(result.residual,
                    (values.square() - 1).norm().item<double>(), 1e-12);
        EXPECT_EQ(result.iterations, iterations);
        EXPECT_TRUE(result.converged);
      }
    }
  }
}

TEST(Bjorck, WithoutAReportTheNumbersAreNaN) {
  BjorckOptions options;
  options.report = false;
  const auto result = Bjorck(Matrix(kGolden), options).value();
  EXPECT_TRUE(std::isnan(result.residual));
  EXPECT_TRUE(std::isnan(result.smallest_singular_value));
  EXPECT_TRUE(std::isnan(result.largest_singular_value));
  options.report = true;
  EXPECT_TRUE(
      Bjorck(Matrix(kGolden), options).value().weight.equal(result.weight));
}

TEST(Bjorck, ToleranceStopsAtTheFirstIterationThatMeetsIt) {
  at::manual_seed(7);
  const at::Tensor w = at::randn({8, 5}, at::kDouble);
  BjorckOptions options;
  options.iterations = 60;
  options.tolerance = 1e-3;
  const auto result = Bjorck(w, options).value();
  EXPECT_TRUE(result.converged);
  EXPECT_LE(result.residual, 1e-3);
  ASSERT_GT(result.iterations, 1);
  ASSERT_LT(result.iterations, 60);
  // One iteration less was not enough, and the same number without a tolerance
  // gives the same matrix.
  options.tolerance = 0.0;
  options.iterations = result.iterations;
  EXPECT_TRUE(Bjorck(w, options).value().weight.equal(result.weight));
  options.iterations = result.iterations - 1;
  EXPECT_GT(Bjorck(w, options).value().residual, 1e-3);
}

// The derivative of the polar factor comes from the iterations.
TEST(Bjorck, DoesAtLeastOneIterationWhateverTheTolerance) {
  at::manual_seed(8);
  BjorckOptions options = Unscaled(1, 20);
  options.tolerance = 1e-10;
  const at::Tensor w = PolarFactor(at::randn({4, 7}, at::kDouble));
  const auto result = Bjorck(w, options).value();
  EXPECT_EQ(result.iterations, 1);
  EXPECT_TRUE(result.converged);
  EXPECT_TRUE(TensorsNear(result.weight, w, 1e-14));
}

// The scale alone makes a single row a unit vector; its gradient must still
// have no part along the row.
TEST(Bjorck, GradientOfAVectorIsOrthogonalToItUnderATolerance) {
  at::manual_seed(19);
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 9}, {9, 1}}) {
    const at::Tensor w =
        at::randn({rows, columns}, at::kDouble).requires_grad_(true);
    const at::Tensor weights = at::randn({rows, columns}, at::kDouble);
    BjorckOptions options;
    options.tolerance = 1e-3;
    const at::Tensor gradient = torch::autograd::grad(
        {(Bjorck(w, options).value().weight * weights).sum()}, {w})[0];
    EXPECT_NEAR((gradient * w.detach()).sum().item<double>(), 0.0, 1e-12);
    EXPECT_GT(gradient.norm().item<double>(), 1e-2);
  }
}

TEST(Bjorck, SaysWhenTheIterationsDidNotSuffice) {
  at::manual_seed(9);
  const at::Tensor w = at::randn({8, 5}, at::kDouble);
  BjorckOptions options;
  options.tolerance = 1e-6;
  options.iterations = 2;
  const auto few = Bjorck(w, options).value();
  EXPECT_FALSE(few.converged);
  EXPECT_EQ(few.iterations, 2);
  EXPECT_GT(few.residual, 1e-6);
  // The last allowed iteration counts.
  options.iterations = 60;
  const int needed = Bjorck(w, options).value().iterations;
  options.iterations = needed;
  EXPECT_TRUE(Bjorck(w, options).value().converged);
  options.iterations = needed - 1;
  EXPECT_FALSE(Bjorck(w, options).value().converged);
}

// LNets: 20 steps of order 1 after division by √(mn), from its own initial
// weights (all singular values 1/√in), leave the three-cones layer at 0.55.
TEST(Bjorck, SqrtSizeScalingStallsWhereTheUpperBoundConverges) {
  at::manual_seed(10);
  const int64_t n = 312;
  const at::Tensor w = WithSingularValues(
      n, n, at::full({n}, 1 / std::sqrt(1.0 * n), at::kDouble));
  BjorckOptions options;
  options.scaling = BjorckScaling::kSqrtSize;
  options.iterations = 20;
  options.tolerance = 1e-3;
  const auto stalled = Bjorck(w, options).value();
  EXPECT_NEAR(stalled.smallest_singular_value, 0.5497, 5e-5);
  EXPECT_NEAR(stalled.largest_singular_value, 0.5497, 5e-5);
  EXPECT_FALSE(stalled.converged);
  options.scaling = BjorckScaling::kUpperBound;
  const auto converged = Bjorck(w, options).value();
  EXPECT_TRUE(converged.converged);
  EXPECT_NEAR(converged.smallest_singular_value, 1.0, 1e-3);
  EXPECT_LT(converged.iterations, 20);
}

// LNets forms the Gram matrix of the outputs whatever the shape. A 4096 x 4096
// one here would take minutes in this many iterations.
TEST(Bjorck, OfAVectorIsTheUnitVector) {
  at::manual_seed(11);
  const at::Tensor row = at::randn({1, 4096}, at::kDouble);
  BjorckOptions options;
  options.iterations = 200;
  for (int order = 1; order <= 4; ++order) {
    options.order = order;
    const auto wide = Bjorck(row, options).value();
    EXPECT_TRUE(TensorsNear(wide.weight, row / row.norm(), 1e-14));
    EXPECT_NEAR(wide.smallest_singular_value, 1.0, 1e-13);
    const auto tall = Bjorck(row.t(), options).value();
    EXPECT_TRUE(TensorsNear(tall.weight, row.t() / row.norm(), 1e-14));
  }
}

TEST(Bjorck, ConfiguredPowerIterationsAreUsed) {
  at::manual_seed(12);
  const at::Tensor w = at::randn({20, 30}, at::kDouble);
  BjorckOptions options;
  options.scaling = BjorckScaling::kPowerIteration;
  double before = 0.0;
  for (int steps : {1, 3, 9, 27}) {
    options.power_iterations = steps;
    const double scale = Bjorck(w, options).value().scale;
    EXPECT_EQ(scale, PowerIteration(w, steps).sigma);
    EXPECT_GT(scale, before);
    before = scale;
  }
}

TEST(Bjorck, GradientsMatchFiniteDifferences) {
  at::manual_seed(13);
  GradientCheckOptions check;
  check.second_order = true;
  check.absolute = 1e-6;
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {2, 4}, {4, 2}, {3, 3}, {1, 4}}) {
    const at::Tensor w = WithSingularValues(
        rows, columns, 0.3 + at::rand({std::min(rows, columns)}, at::kDouble));
    for (int order = 1; order <= 4; ++order) {
      // Scalings that do not depend on the matrix.
      for (BjorckScaling scaling :
           {BjorckScaling::kNone, BjorckScaling::kSqrtSize}) {
        BjorckOptions options = Unscaled(order, 2);
        options.scaling = scaling;
        EXPECT_TRUE(GradientsAgree(
            [&](const auto& in) {
              return Bjorck(in[0], options).value().weight;
            },
            {w}, check))
            << "order " << order << ", " << rows << "x" << columns;
      }
    }
  }
}

// The limit does not depend on the scaling, so the constant scale does not
// matter to its gradient.
TEST(Bjorck, GradientAtConvergenceIsThatOfThePolarFactor) {
  at::manual_seed(14);
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{3, 5}, {5, 3}, {4, 4}}) {
    const at::Tensor values = at::linspace(0.5, 1.4, std::min(rows, columns),
                                           at::TensorOptions(at::kDouble));
    const at::Tensor w =
        WithSingularValues(rows, columns, values).requires_grad_(true);
    const at::Tensor weights = at::randn({rows, columns}, at::kDouble);
    const at::Tensor expected =
        torch::autograd::grad({(PolarFactor(w) * weights).sum()}, {w})[0];
    for (int order = 1; order <= 4; ++order) {
      for (BjorckScaling scaling : kScalings) {
        BjorckOptions options;
        options.order = order;
        options.scaling = scaling;
        options.iterations = 40;
        const at::Tensor weight = Bjorck(w, options).value().weight;
        const at::Tensor gradient =
            torch::autograd::grad({(weight * weights).sum()}, {w})[0];
        EXPECT_TRUE(TensorsNear(gradient, expected, 1e-9))
            << "order " << order << ", " << BjorckScalingName(scaling);
      }
    }
  }
}

// orthonogium's pass_through returns a weight that needs no gradient.
TEST(Bjorck, GradientReachesTheRawWeight) {
  at::manual_seed(15);
  for (double tolerance : {0.0, 1e-3}) {
    for (BjorckScaling scaling : kScalings) {
      at::Tensor w = (at::rand({4, 6}) * 0.3).requires_grad_(true);
      BjorckOptions options;
      options.scaling = scaling;
      options.tolerance = tolerance;
      const at::Tensor weight = Bjorck(w, options).value().weight;
      ASSERT_TRUE(weight.requires_grad());
      weight.square().select(1, 0).sum().backward();
      ASSERT_TRUE(w.grad().defined());
      EXPECT_GT(w.grad().abs().max().item<double>(), 1e-4);
    }
  }
}

TEST(Bjorck, LeavesItsArgumentAlone) {
  at::manual_seed(16);
  const at::Tensor w = at::randn({4, 6});
  const at::Tensor before = w.clone();
  Bjorck(w, BjorckOptions()).value();
  EXPECT_TRUE(w.equal(before));
}

TEST(Bjorck, TakesTransposedAndStridedMatrices) {
  at::manual_seed(17);
  const at::Tensor whole = at::randn({8, 12}, at::kDouble);
  const at::Tensor strided = whole.slice(1, 0, 12, 2).t();
  EXPECT_TRUE(TensorsNear(
      Bjorck(strided, BjorckOptions()).value().weight,
      Bjorck(strided.contiguous(), BjorckOptions()).value().weight, 1e-13));
}

TEST(Bjorck, KeepsZeroSingularValuesAndStaysFinite) {
  at::manual_seed(18);
  const at::Tensor w =
      WithSingularValues(6, 4, at::tensor({1.3, 0.7, 0.4, 0.0}, at::kDouble));
  for (int order = 1; order <= 4; ++order) {
    BjorckOptions options;
    options.order = order;
    const auto result = Bjorck(w, options).value();
    EXPECT_TRUE(TensorsNear(SingularValues(result.weight),
                            at::tensor({1., 1., 1., 0.}, at::kDouble), 1e-5));
    EXPECT_NEAR(result.residual, 1.0, 1e-5);
    EXPECT_NEAR(result.smallest_singular_value, 0.0, 1e-5);
    options.tolerance = 1e-6;
    EXPECT_FALSE(Bjorck(w, options).value().converged);
  }
}

TEST(Bjorck, AZeroMatrixIsAnErrorUnderEveryScaling) {
  for (BjorckScaling scaling : kScalings) {
    BjorckOptions options;
    options.scaling = scaling;
    EXPECT_TRUE(FailsWith(Bjorck(at::zeros({3, 5}), options),
                          StatusCode::kInvalidArgument, {"(3, 5)", "zero"}))
        << BjorckScalingName(scaling);
  }
}

TEST(Bjorck, AMalformedMatrixIsAnErrorWithTheNumbers) {
  const BjorckOptions options;
  EXPECT_TRUE(FailsWith(Bjorck(at::ones({2, 3, 4}), options),
                        StatusCode::kInvalidArgument, {"Björck", "(2, 3, 4)"}));
  EXPECT_TRUE(FailsWith(Bjorck(at::ones({7}), options),
                        StatusCode::kInvalidArgument, {"(7)"}));
  EXPECT_TRUE(FailsWith(Bjorck(at::ones({0, 4}), options),
                        StatusCode::kInvalidArgument, {"(0, 4)"}));
  EXPECT_TRUE(FailsWith(Bjorck(at::ones({2, 2}, at::kInt), options),
                        StatusCode::kInvalidArgument, {"Int"}));
  EXPECT_TRUE(FailsWith(Bjorck(at::Tensor(), options),
                        StatusCode::kInvalidArgument, {"no tensor"}));
  at::Tensor nan = at::ones({2, 3});
  nan[1][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(FailsWith(Bjorck(nan, options), StatusCode::kInvalidArgument,
                        {"1 of 6", "(1, 0)"}));
}

TEST(Bjorck, ABadOptionIsAnErrorWithTheNumber) {
  const at::Tensor w = Matrix(kGolden);
  const auto fails = [&](void (*change)(BjorckOptions*),
                         const std::string& part) {
    BjorckOptions options;
    change(&options);
    return FailsWith(Bjorck(w, options), StatusCode::kInvalidArgument, {part});
  };
  EXPECT_TRUE(fails([](BjorckOptions* o) { o->order = 0; }, "got 0"));
  EXPECT_TRUE(fails([](BjorckOptions* o) { o->order = 5; }, "got 5"));
  EXPECT_TRUE(fails([](BjorckOptions* o) { o->beta = 0.75; }, "got 0.75"));
  EXPECT_TRUE(fails([](BjorckOptions* o) { o->beta = 0.0; }, "got 0"));
  EXPECT_TRUE(fails(
      [](BjorckOptions* o) {
        o->beta = std::numeric_limits<double>::quiet_NaN();
      },
      "nan"));
  EXPECT_TRUE(fails(
      [](BjorckOptions* o) {
        o->order = 3;
        o->beta = 0.25;
      },
      "order 3 is defined for beta 0.5 only, got 0.25"));
  EXPECT_TRUE(fails([](BjorckOptions* o) { o->iterations = 0; }, "got 0"));
  EXPECT_TRUE(fails([](BjorckOptions* o) { o->tolerance = -1.0; }, "got -1"));
  EXPECT_TRUE(fails(
      [](BjorckOptions* o) {
        o->scaling = BjorckScaling::kPowerIteration;
        o->power_iterations = 0;
      },
      "got 0"));
}

TEST(BjorckScaling, NamesRoundTrip) {
  for (BjorckScaling scaling : kScalings) {
    const auto parsed = ParseBjorckScaling(BjorckScalingName(scaling));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, scaling);
  }
  EXPECT_EQ(BjorckScalingName(BjorckScaling::kSqrtSize), "sqrt_size");
}

TEST(BjorckScaling, AnUnknownNameListsTheKnownOnes) {
  EXPECT_TRUE(FailsWith(
      ParseBjorckScaling("frobenius"), StatusCode::kInvalidArgument,
      {"'frobenius'", "none", "sqrt_size", "power_iteration", "upper_bound"}));
}

}  // namespace
}  // namespace lipschitz
