#include "lipschitz/diagnostics/lipschitz_lower_bound.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/linear.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::RandomMlp;
using testing::TensorsNear;

double Length(const at::Tensor& vector, Norm norm) {
  const double p = norm == Norm::kL1 ? 1.0 : norm == Norm::kL2 ? 2.0 : INFINITY;
  return vector.reshape({-1}).norm(p).item<double>();
}

// All vectors of ±1, (2^n, n).
at::Tensor Signs(int64_t n) {
  const at::Tensor numbers = at::arange(1 << n, at::kLong).unsqueeze(1);
  const at::Tensor bits = at::bitwise_and(
      at::floor_divide(numbers, at::pow(2, at::arange(n, at::kLong))), 1);
  return 2.0 * bits.to(at::kDouble) - 1.0;
}

double LargestRow(const at::Tensor& rows, Norm norm) {
  double largest = 0.0;
  for (int64_t i = 0; i < rows.size(0); ++i) {
    largest = std::max(largest, Length(rows[i], norm));
  }
  return largest;
}

// max ‖Wx‖_out / ‖x‖_in: at a corner of the unit ball of l1 or linf, or at a
// corner of the dual ball of the output.
double OperatorNorm(const at::Tensor& w, Norm in, Norm out) {
  if (in == Norm::kL1) return LargestRow(w.t(), out);
  if (in == Norm::kLinf) {
    return LargestRow(at::matmul(Signs(w.size(1)), w.t()), out);
  }
  if (out == Norm::kLinf) return LargestRow(w, Norm::kL2);
  if (out == Norm::kL1) {
    return LargestRow(at::matmul(Signs(w.size(0)), w), Norm::kL2);
  }
  return testing::SingularValues(w).max().item<double>();
}

// The value is the ratio of the pair, less the allowance for rounding.
void ExpectPairShowsIt(const BatchFunction& function,
                       const LipschitzLowerBound& bound,
                       const LowerBoundOptions& options) {
  const at::Tensor change =
      function(bound.x.unsqueeze(0)) - function(bound.y.unsqueeze(0));
  EXPECT_NEAR(Length(change, options.output_norm) /
                  Length(bound.x - bound.y, options.input_norm),
              bound.value, 1e-8 * bound.value + 1e-12);
  EXPECT_EQ(bound.local.max().item<double>(), bound.value);
}

TEST(LipschitzLowerBoundTest, OfLinearMapsIsTheOperatorNormInEveryNorm) {
  torch::manual_seed(1);
  for (const auto& [m, d] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 5}, {4, 1}, {4, 6}, {6, 4}}) {
    const at::Tensor w = at::randn({m, d}, at::kDouble);
    const at::Tensor b = at::randn({m}, at::kDouble);
    const BatchFunction function = [&](const at::Tensor& x) {
      return at::matmul(x, w.t()) + b;
    };
    const at::Tensor x = at::randn({16, d}, at::kDouble);
    for (const Norm in : kAllNorms) {
      for (const Norm out : kAllNorms) {
        LowerBoundOptions options;
        options.input_norm = in;
        options.output_norm = out;
        options.steps = 10;
        const auto bound = FindLipschitzLowerBound(function, x, options);
        ASSERT_TRUE(bound.ok()) << bound.status();
        const double truth = OperatorNorm(w, in, out);
        EXPECT_LE(bound->value, truth * (1 + 1e-13));
        EXPECT_GE(bound->value, truth * (1 - 1e-5))
            << m << "x" << d << " " << NormName(in) << " to " << NormName(out);
        ExpectPairShowsIt(function, *bound, options);
      }
    }
  }
}

TEST(LipschitzLowerBoundTest, OfSmoothFunctionsClimbsToTheSteepestPoint) {
  torch::manual_seed(2);
  // Σ sin(x_i): √d in l2, d in linf, 1 in l1, at x = 0.
  const BatchFunction waves = [](const at::Tensor& x) {
    return x.sin().sum(1);
  };
  const at::Tensor x = 1.5 * at::randn({8, 5}, at::kDouble);
  for (const auto& [norm, truth] : std::vector<std::pair<Norm, double>>{
           {Norm::kL1, 1.0}, {Norm::kL2, std::sqrt(5.0)}, {Norm::kLinf, 5.0}}) {
    LowerBoundOptions options;
    options.input_norm = norm;
    options.steps = 80;
    const auto bound = FindLipschitzLowerBound(waves, x, options);
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_LE(bound->value, truth * (1 + 1e-9));
    EXPECT_GE(bound->value, 0.995 * truth) << NormName(norm);
    ExpectPairShowsIt(waves, *bound, options);
  }
}

TEST(LipschitzLowerBoundTest, StaysInTheBall) {
  // x² has slope 2 (x₀ + r) on |x − x₀| ≤ r.
  const BatchFunction square = [](const at::Tensor& x) { return x.square(); };
  const at::Tensor x = at::tensor({1.0, 3.0, 0.0}, at::kDouble).unsqueeze(1);
  LowerBoundOptions options;
  options.radius = 0.5;
  options.steps = 30;
  for (const Norm norm : kAllNorms) {
    options.input_norm = norm;
    const auto bound = FindLipschitzLowerBound(square, x, options);
    ASSERT_TRUE(bound.ok()) << bound.status();
    const at::Tensor truth = at::tensor({3.0, 7.0, 1.0}, at::kDouble);
    EXPECT_LE((bound->local - truth).max().item<double>(), 1e-9);
    EXPECT_TRUE(TensorsNear(bound->local, truth, 0.02));
    for (const at::Tensor& end : {bound->x, bound->y}) {
      EXPECT_LE(std::abs(end.item<double>() - 3.0), 0.5);
    }
  }
  // And in higher dimensions.
  torch::manual_seed(3);
  Sequential network = RandomMlp(3, {6, 8, 3}, ActivationSpec::Relu());
  network->to(at::kDouble);
  const at::Tensor start = at::randn({1, 6}, at::kDouble);
  for (const Norm norm : kAllNorms) {
    options.input_norm = norm;
    options.radius = 0.1;
    const auto bound =
        FindLipschitzLowerBound(ForwardOf(*network), start, options);
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_LE(Length(bound->x - start[0], norm), 0.1);
    EXPECT_LE(Length(bound->y - start[0], norm), 0.1);
  }
}

// x − x⁺ + x⁻ is 0, but autograd says that its slope at 0 is 1.
TEST(LipschitzLowerBoundTest, FalseDerivativesAtKinksDoNoHarm) {
  const BatchFunction zero = [](const at::Tensor& x) {
    return x - x.relu() + (-x).relu();
  };
  const at::Tensor x = at::zeros({2, 1}, at::kDouble);
  ASSERT_EQ(Linearisation::At(zero, x)->Jacobians().max().item<double>(), 1.0);
  const auto bound = FindLipschitzLowerBound(zero, x);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_LE(bound->value, 1e-10);
}

TEST(LipschitzLowerBoundTest, FindsSteepPartsAwayFromTheInputs) {
  // Slope 5 beyond 2, else 1; all inputs are where it is flat.
  const BatchFunction bent = [](const at::Tensor& x) {
    return x + 4.0 * (x - 2.0).relu();
  };
  const at::Tensor x = at::linspace(-1.0, 1.5, 6, at::kDouble).unsqueeze(1);
  const auto bound = FindLipschitzLowerBound(bent, x);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_NEAR(bound->value, 5.0, 1e-6);
}

TEST(LipschitzLowerBoundTest, OutputsThatAreNotFiniteSpoilTheirOwnInputAlone) {
  // √x has no value below 0, and slope 0.5 at 1.
  const BatchFunction root = [](const at::Tensor& x) { return x.sqrt(); };
  const at::Tensor x = at::tensor({-100.0, 1.0}, at::kDouble).unsqueeze(1);
  LowerBoundOptions options;
  options.radius = 0.1;
  const auto bound = FindLipschitzLowerBound(root, x, options);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(bound->local[0].item<double>(), 0.0);
  EXPECT_GE(bound->local[1].item<double>(), 0.5);
  EXPECT_LE(bound->value, 0.5 / std::sqrt(0.9) + 1e-9);
}

TEST(LipschitzLowerBoundTest, TakesExamplesOfAnyShape) {
  const BatchFunction function = [](const at::Tensor& x) {
    return 2.0 * x.permute({0, 2, 3, 1});
  };
  const at::Tensor x = at::randn({3, 2, 4, 4}, at::kDouble);
  LowerBoundOptions options;
  options.steps = 5;
  const auto bound = FindLipschitzLowerBound(function, x, options);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_NEAR(bound->value, 2.0, 1e-9);
  EXPECT_EQ(bound->x.sizes(), x[0].sizes());
}

TEST(TightnessTest, IsNeverAboveOneAndReachesItWhereGradientsAreKept) {
  for (const ActivationSpec& activation :
       {ActivationSpec::Relu(), ActivationSpec::Abs(), ActivationSpec::MaxMin(),
        ActivationSpec::GroupSort(4)}) {
    for (const int64_t seed : {1, 2}) {
      Sequential network = RandomMlp(seed, {8, 8, 8, 1}, activation,
                                     ConstraintKind::kBjorck, 3.0);
      const at::Tensor x = at::randn({10, 8});
      LowerBoundOptions options;
      options.steps = 20;
      const auto measured = MeasureTightness(*network, x, options);
      ASSERT_TRUE(measured.ok()) << measured.status();
      EXPECT_LE(measured->lower.value, measured->proven * (1 + 1e-9));
      EXPECT_NEAR(measured->proven, 3.0, 1e-3);
      EXPECT_DOUBLE_EQ(measured->tightness,
                       measured->lower.value / measured->proven);
      if (activation.PreservesGradientNorm()) {
        EXPECT_GE(measured->tightness, 0.999) << activation.Name();
      } else {
        EXPECT_GT(measured->tightness, 0.3);
      }
    }
  }
}

TEST(TightnessTest, InLinfAndBetweenNorms) {
  Sequential network = RandomMlp(4, {6, 8, 3}, ActivationSpec::MaxMin(),
                                 ConstraintKind::kLinfRows);
  const at::Tensor x = at::randn({12, 6});
  for (const Norm in : kAllNorms) {
    for (const Norm out : kAllNorms) {
      LowerBoundOptions options;
      options.input_norm = in;
      options.output_norm = out;
      options.steps = 10;
      const auto measured = MeasureTightness(*network, x, options);
      ASSERT_TRUE(measured.ok()) << measured.status();
      EXPECT_GT(measured->tightness, 0.1);
      EXPECT_LE(measured->tightness, 1 + 1e-9)
          << NormName(in) << " to " << NormName(out);
    }
  }
}

TEST(TightnessTest, LeavesTheNetworkAsItWas) {
  Sequential network = RandomMlp(5, {4, 6, 2}, ActivationSpec::MaxMin());
  network->train();
  const auto before = network->parameters()[0].clone();
  LowerBoundOptions options;
  options.steps = 2;
  ASSERT_TRUE(MeasureTightness(*network, at::randn({3, 4}), options).ok());
  EXPECT_TRUE(network->is_training());
  EXPECT_TRUE(at::equal(network->parameters()[0], before));
  EXPECT_EQ(before.scalar_type(), at::kFloat);
  EXPECT_FALSE(network->parameters()[0].grad().defined());
}

TEST(TightnessTest, OfAConstantNetworkIsOne) {
  Linear zero = testing::Affine(at::zeros({2, 3}), at::ones({2}));
  const auto measured = MeasureTightness(*zero, at::randn({3, 3}));
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->lower.value, 0.0);
  EXPECT_EQ(measured->tightness, 1.0);
}

// A false promise shows, also one of 0.
TEST(TightnessTest, IsAboveOneWhereTheBoundIsFalse) {
  LowerBoundOptions options;
  options.steps = 2;
  const auto map = testing::Affine(at::ones({2, 3})).ptr();
  testing::Claiming half(map, 0.5);
  const auto measured =
      MeasureTightness(half, at::randn({3, 3}, at::kDouble), options);
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_NEAR(measured->tightness, 2.0, 1e-4);
  testing::Claiming nothing(map, 0.0);
  const auto infinite =
      MeasureTightness(nothing, at::randn({3, 3}, at::kDouble), options);
  ASSERT_TRUE(infinite.ok()) << infinite.status();
  EXPECT_GT(infinite->lower.value, 2.0);
  EXPECT_TRUE(std::isinf(infinite->tightness));
}

// Their kinks are at 0, where all inputs are: one of d entries has slope 1.
TEST(LipschitzLowerBoundTest, OfAbsoluteValues) {
  const BatchFunction each = [](const at::Tensor& x) { return x.abs(); };
  const BatchFunction sum = [](const at::Tensor& x) { return x.abs().sum(1); };
  for (const int64_t d : {1, 4}) {
    const auto width = static_cast<double>(d);
    for (const double scale : {0.0, 1.0}) {
      torch::manual_seed(7);
      const at::Tensor x = scale * at::randn({6, d}, at::kDouble);
      for (const auto& [norm, of_sum] :
           std::vector<std::pair<Norm, double>>{{Norm::kL1, 1.0},
                                                {Norm::kL2, std::sqrt(width)},
                                                {Norm::kLinf, width}}) {
        LowerBoundOptions options;
        options.input_norm = options.output_norm = norm;
        for (const auto& [function, truth] :
             std::vector<std::pair<BatchFunction, double>>{{each, 1.0},
                                                           {sum, of_sum}}) {
          const auto bound = FindLipschitzLowerBound(function, x, options);
          ASSERT_TRUE(bound.ok()) << bound.status();
          EXPECT_LE(bound->value, truth * (1 + 1e-14));
          EXPECT_GE(bound->value, truth * (1 - 1e-6))
              << NormName(norm) << " of " << d << " entries, scale " << scale;
          ExpectPairShowsIt(function, *bound, options);
        }
      }
    }
  }
}

TEST(LipschitzLowerBoundTest, SaysWhatIsWrong) {
  const BatchFunction same = [](const at::Tensor& x) { return 1.0 * x; };
  const at::Tensor x = at::randn({2, 3}, at::kDouble);
  EXPECT_TRUE(FailsWith(FindLipschitzLowerBound(same, x.to(at::kFloat)),
                        StatusCode::kInvalidArgument, {"float64", "Float"}));
  EXPECT_TRUE(FailsWith(FindLipschitzLowerBound(same, x[0]),
                        StatusCode::kInvalidArgument, {"[3]"}));
  EXPECT_TRUE(FailsWith(FindLipschitzLowerBound(same, x / 0.0),
                        StatusCode::kInvalidArgument, {"not finite"}));
  LowerBoundOptions options;
  options.radius = -1.0;
  EXPECT_TRUE(FailsWith(FindLipschitzLowerBound(same, x, options),
                        StatusCode::kInvalidArgument, {"radius", "-1"}));
  options = {};
  options.min_separation = 0.0;
  EXPECT_TRUE(FailsWith(FindLipschitzLowerBound(same, x, options),
                        StatusCode::kInvalidArgument, {"min_separation"}));
  testing::Claiming silent(testing::Affine(at::ones({2, 3})).ptr(), -1.0);
  EXPECT_TRUE(FailsWith(MeasureTightness(silent, x),
                        StatusCode::kFailedPrecondition, {"claiming"}));
}

}  // namespace
}  // namespace lipschitz
