#include "lipschitz/diagnostics/exact_lipschitz.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/diagnostics/linearisation.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::Matrix;
using testing::RandomMlp;

std::shared_ptr<LayerImpl> Act(const ActivationSpec& spec) {
  return std::make_shared<ActivationImpl>(spec);
}

// In float64, so that every number is as written.
Sequential Exactly(const std::vector<std::shared_ptr<LayerImpl>>& layers) {
  Sequential network = testing::Chain(layers);
  network->to(at::kDouble);
  return network;
}

std::shared_ptr<LayerImpl> Affine(const at::Tensor& weight,
                                  const at::Tensor& bias = {}) {
  Linear layer = testing::Affine(weight, bias);
  layer->to(at::kDouble);
  const torch::NoGradGuard no_grad;
  layer->weight.copy_(weight);
  if (bias.defined()) layer->bias.copy_(bias);
  return layer.ptr();
}

ExactLipschitz Exact(const Sequential& network,
                     const ExactLipschitzOptions& options = {}) {
  Sequential same = network;
  const auto exact = ComputeExactLipschitz(*same, options);
  EXPECT_TRUE(exact.ok()) << exact.status();
  return exact.ok() ? *exact : ExactLipschitz();
}

ExactLipschitzOptions Box(std::vector<double> lower,
                          std::vector<double> upper) {
  ExactLipschitzOptions options;
  options.lower = std::move(lower);
  options.upper = std::move(upper);
  return options;
}

// By autograd.
double SlopeAt(const Sequential& network, const at::Tensor& point, Norm norm) {
  Sequential same = network;
  const at::Tensor jacobian =
      testing::Jacobian([&](const at::Tensor& x) { return same->forward(x); },
                        point.unsqueeze(0));
  switch (norm) {
    case Norm::kL1:
      return jacobian.abs().sum(0).max().item<double>();
    case Norm::kL2:
      return testing::SingularValues(jacobian).max().item<double>();
    case Norm::kLinf:
      break;
  }
  return jacobian.abs().sum(1).max().item<double>();
}

TEST(ExactLipschitzTest, AbsoluteValue) {
  const auto one = Matrix({{1}});
  const ExactLipschitz line =
      Exact(Exactly({Affine(one), Act(ActivationSpec::Abs())}));
  EXPECT_DOUBLE_EQ(line.constant, 1.0);
  EXPECT_EQ(line.regions, 2);
  EXPECT_EQ(line.point.size(0), 1);
  // |x| from two ReLU, with 5 x for positive x.
  const Sequential relu =
      Exactly({Affine(Matrix({{1}, {-1}})), Act(ActivationSpec::Relu()),
               Affine(Matrix({{5, 1}}))});
  EXPECT_DOUBLE_EQ(Exact(relu).constant, 5.0);
  EXPECT_GT(Exact(relu).point[0].item<double>(), 0.0);
  EXPECT_DOUBLE_EQ(Exact(relu, Box({-2}, {-1})).constant, 1.0);
  EXPECT_EQ(Exact(relu, Box({-2}, {-1})).regions, 1);
  // |x| + |y|.
  const Sequential diamond =
      Exactly({Affine(Matrix({{1, 0}, {0, 1}})), Act(ActivationSpec::Abs()),
               Affine(Matrix({{1, 1}}))});
  ExactLipschitzOptions options;
  EXPECT_DOUBLE_EQ(Exact(diamond).constant, std::sqrt(2.0));
  EXPECT_EQ(Exact(diamond).regions, 4);
  options.norm = Norm::kLinf;
  EXPECT_DOUBLE_EQ(Exact(diamond, options).constant, 2.0);
  options.norm = Norm::kL1;
  EXPECT_DOUBLE_EQ(Exact(diamond, options).constant, 1.0);
}

TEST(ExactLipschitzTest, OfAnAffineMapIsItsNorm) {
  const at::Tensor w = Matrix({{3, 1}, {-2, 4}, {0.5, 0.25}});
  const Sequential map = Exactly({Affine(w, Matrix({{1, 2, 3}})[0])});
  const ExactLipschitz exact = Exact(map);
  EXPECT_EQ(exact.regions, 1);
  EXPECT_NEAR(exact.constant, testing::SingularValues(w).max().item<double>(),
              1e-14);
}

TEST(ExactLipschitzTest, MaximumOfLinearFunctions) {
  // The steep one is the largest only for x > 50.
  const Sequential largest =
      Exactly({Affine(Matrix({{3, 0}, {1, 0}, {0, 1}, {0, -2}}),
                      Matrix({{-100, 0, 0, 0}})[0]),
               Act(ActivationSpec::MaxOut(4))});
  EXPECT_DOUBLE_EQ(Exact(largest).constant, 3.0);
  EXPECT_EQ(Exact(largest).regions, 4);
  EXPECT_DOUBLE_EQ(Exact(largest, Box({-1, -1}, {1, 1})).constant, 2.0);
  EXPECT_EQ(Exact(largest, Box({-1, -1}, {1, 1})).regions, 3);
  EXPECT_DOUBLE_EQ(Exact(largest, Box({-1, 0.5}, {1, 1})).constant, 1.0);
  EXPECT_DOUBLE_EQ(Exact(largest, Box({49, -1}, {51, 1})).constant, 3.0);
  const ExactLipschitz shifted = Exact(largest, Box({49, -1}, {51, 1}));
  EXPECT_GT(shifted.point[0].item<double>(), 50.0);
  EXPECT_LT(shifted.point[0].item<double>(), 51.0);
}

// relu(x + y) + relu(x − y) + relu(−x + 1): slopes by hand.
TEST(ExactLipschitzTest, OneHiddenLayerByHand) {
  const Sequential network = Exactly(
      {Affine(Matrix({{1, 1}, {1, -1}, {-1, 0}}), Matrix({{0, 0, 1}})[0]),
       Act(ActivationSpec::Relu()), Affine(Matrix({{1, 1, 1}}))});
  // (2, 0) where x > 1 and |y| < x.
  const ExactLipschitz plane = Exact(network);
  EXPECT_DOUBLE_EQ(plane.constant, 2.0);
  EXPECT_EQ(plane.regions, 7);
  EXPECT_GT(plane.point[0].item<double>(), 1.0);
  // For x < 1: (1, 0), (0, ±1) and (−1, 0).
  EXPECT_DOUBLE_EQ(Exact(network, Box({-1, -1}, {0.9, 1})).constant, 1.0);
  EXPECT_EQ(Exact(network, Box({-1, -1}, {0.9, 1})).regions, 4);
}

// Lines in general position: 1 + k + k(k−1)/2 pieces.
TEST(ExactLipschitzTest, CountsThePiecesOfArrangements) {
  torch::manual_seed(1);
  for (const int64_t k : {1, 2, 5, 12, 30}) {
    const Sequential lines = Exactly(
        {Affine(at::randn({k, 2}, at::kDouble), at::randn({k}, at::kDouble)),
         Act(ActivationSpec::Relu())});
    EXPECT_EQ(Exact(lines).regions, 1 + k + k * (k - 1) / 2) << k;
    const Sequential points = Exactly(
        {Affine(at::randn({k, 1}, at::kDouble), at::randn({k}, at::kDouble)),
         Act(ActivationSpec::LeakyRelu())});
    EXPECT_EQ(Exact(points).regions, k + 1);
  }
  // The orders of g affine functions: lines of three pairs meet in a point.
  for (const auto& [size, orders] : std::vector<std::pair<int64_t, int64_t>>{
           {2, 2}, {3, 6}, {4, 18}, {5, 46}}) {
    const Sequential sorted = Exactly({Affine(at::randn({size, 2}, at::kDouble),
                                              at::randn({size}, at::kDouble)),
                                       Act(ActivationSpec::GroupSort(size))});
    EXPECT_EQ(Exact(sorted).regions, orders) << size;
  }
}

TEST(ExactLipschitzTest, RoundingMakesNoPieces) {
  // 0.1 · 3 is not 0.3: the two lines differ by one unit of rounding, and
  // between them the slope would be 300.
  const double sum = 0.1 * 3;
  ASSERT_NE(sum, 0.3);
  for (const ActivationSpec& spec :
       {ActivationSpec::Relu(), ActivationSpec::Abs()}) {
    const Sequential twice =
        Exactly({Affine(Matrix({{sum, 1}, {0.3, 1}}), Matrix({{0.7, 0.7}})[0]),
                 Act(spec), Affine(Matrix({{1000, -1000}}))});
    EXPECT_LE(Exact(twice).constant, 1e-12);
    EXPECT_EQ(Exact(twice).regions, 2);
  }
  // The sorted pair is equal everywhere but for rounding.
  const Sequential equal =
      Exactly({Affine(Matrix({{0.1, 0.2}})), Affine(Matrix({{3}, {3 + 1e-15}})),
               Act(ActivationSpec::MaxMin()), Affine(Matrix({{1, 1}}))});
  EXPECT_NEAR(Exact(equal).constant, 6 * std::sqrt(0.05), 1e-14);
  EXPECT_EQ(Exact(equal).regions, 1);
  // Dead units everywhere behind.
  const Sequential dead =
      Exactly({Affine(Matrix({{0, 0}, {1, 0}}), Matrix({{-1, 0}})[0]),
               Act(ActivationSpec::Relu()), Affine(Matrix({{1, 0}, {1, 0}})),
               Act(ActivationSpec::MaxMin()), Affine(Matrix({{1, 1}}))});
  EXPECT_EQ(Exact(dead).constant, 0.0);
  EXPECT_EQ(Exact(dead).regions, 2);
}

TEST(ExactLipschitzTest, DoesNotDependOnTheUnitOfLength) {
  torch::manual_seed(2);
  const at::Tensor w = at::randn({8, 2}, at::kDouble);
  const at::Tensor b = at::randn({8}, at::kDouble);
  const at::Tensor out = at::randn({2, 8}, at::kDouble);
  for (const double unit : {1e-8, 1.0, 1e8}) {
    const ExactLipschitz exact = Exact(Exactly(
        {Affine(w / unit, b), Act(ActivationSpec::Relu()), Affine(out)}));
    EXPECT_EQ(exact.regions, 37);
    const ExactLipschitz reference = Exact(
        Exactly({Affine(w, b), Act(ActivationSpec::Relu()), Affine(out)}));
    EXPECT_NEAR(exact.constant * unit, reference.constant, 1e-12);
  }
}

// lower bound ≤ exact ≤ the product of the layers' constants.
TEST(ExactLipschitzTest, IsBetweenTheLowerBoundAndTheProvenOne) {
  for (const ActivationSpec& activation :
       {ActivationSpec::Relu(), ActivationSpec::LeakyRelu(),
        ActivationSpec::Abs(), ActivationSpec::CRelu(),
        ActivationSpec::MaxOut(), ActivationSpec::MaxMin(),
        ActivationSpec::GroupSort(4), ActivationSpec::FullSort()}) {
    for (const int64_t inputs : {1, 2}) {
      for (const int64_t seed : {1, 2}) {
        Sequential network = RandomMlp(
            seed, {inputs, 8, 8, 2}, activation,
            seed == 2 ? ConstraintKind::kNone : ConstraintKind::kBjorck);
        network->to(at::kDouble);
        network->eval();
        const ExactLipschitz exact = Exact(network);
        EXPECT_NEAR(SlopeAt(network, exact.point, Norm::kL2), exact.constant,
                    1e-12 * exact.constant);
        LowerBoundOptions options;
        options.steps = 10;
        // From the steepest piece, too.
        const at::Tensor x = at::cat({2 * at::randn({15, inputs}, at::kDouble),
                                      exact.point.unsqueeze(0)});
        const auto measured = MeasureTightness(*network, x, options);
        ASSERT_TRUE(measured.ok()) << measured.status();
        EXPECT_LE(measured->lower.value, exact.constant * (1 + 1e-9))
            << activation.Name() << " " << inputs << " inputs, seed " << seed;
        EXPECT_GE(measured->lower.value, 0.999 * exact.constant);
        EXPECT_LE(exact.constant, measured->proven * (1 + 1e-12));
      }
    }
  }
}

// Gradients at random points of a box, none of which is steeper.
TEST(ExactLipschitzTest, DenseSamplesReachItAndAreNeverAbove) {
  for (const ActivationSpec& activation :
       {ActivationSpec::Relu(), ActivationSpec::Abs(),
        ActivationSpec::GroupSort(4), ActivationSpec::FullSort()}) {
    for (const int64_t seed : {4, 5}) {
      Sequential network = RandomMlp(seed, {2, 8, 8, 3}, activation);
      network->to(at::kDouble);
      network->eval();
      const at::Tensor x = 6 * at::rand({20000, 2}, at::kDouble) - 3;
      const at::Tensor jacobians =
          Linearisation::At(ForwardOf(*network), x)->Jacobians();
      for (const Norm norm : kAllNorms) {
        at::Tensor slopes;
        if (norm == Norm::kL1)
          slopes = std::get<0>(jacobians.abs().sum(1).max(1));
        if (norm == Norm::kLinf) {
          slopes = std::get<0>(jacobians.abs().sum(2).max(1));
        }
        if (norm == Norm::kL2)
          slopes = at::linalg_svdvals(jacobians).select(1, 0);
        ExactLipschitzOptions options = Box({-3, -3}, {3, 3});
        options.norm = norm;
        const ExactLipschitz exact = Exact(network, options);
        const double sampled = slopes.max().item<double>();
        EXPECT_LE(sampled, exact.constant * (1 + 1e-12));
        EXPECT_GE(sampled, 0.98 * exact.constant)
            << activation.Name() << " " << NormName(norm) << " seed " << seed;
        EXPECT_LE(exact.point.abs().max().item<double>(), 3.0);
        EXPECT_NEAR(SlopeAt(network, exact.point, norm), exact.constant,
                    1e-12 * exact.constant);
        // The plane holds the box.
        options.lower.clear();
        options.upper.clear();
        EXPECT_GE(Exact(network, options).constant,
                  exact.constant * (1 - 1e-12));
      }
    }
  }
}

const std::vector<ActivationSpec>& PiecewiseActivations() {
  static const auto& activations = *new std::vector<ActivationSpec>{
      ActivationSpec::Relu(),       ActivationSpec::LeakyRelu(),
      ActivationSpec::Abs(),        ActivationSpec::CRelu(),
      ActivationSpec::MaxOut(),     ActivationSpec::MaxMin(),
      ActivationSpec::GroupSort(4), ActivationSpec::FullSort()};
  return activations;
}

// −1, 0 and 1 at random: units that vanish, coincide, and lines of which many
// go through one point.
Sequential OfSmallIntegers(int64_t seed, int64_t inputs,
                           const ActivationSpec& activation) {
  torch::manual_seed(seed);
  const auto integers = [](at::IntArrayRef shape) {
    return at::randint(-1, 2, shape, at::kDouble);
  };
  std::vector<std::shared_ptr<LayerImpl>> layers;
  int64_t width = inputs;
  for (int i = 0; i < 2; ++i) {
    layers.push_back(Affine(integers({8, width}), integers({8})));
    layers.push_back(Act(activation));
    width = *activation.OutputWidth(8);
  }
  layers.push_back(Affine(integers({2, width})));
  return Exactly(layers);
}

// The slope is that of a whole neighbourhood of the point, and no sample is
// steeper: where kinks meet, autograd's derivative is often none of either.
TEST(ExactLipschitzTest, IsTheSlopeOfAnOpenSetWhereManyKinksMeet) {
  for (const ActivationSpec& activation : PiecewiseActivations()) {
    for (const int64_t inputs : {1, 2}) {
      for (const int64_t seed : {1, 2, 3, 4, 5, 6}) {
        Sequential network = OfSmallIntegers(seed, inputs, activation);
        ExactLipschitzOptions options;
        if (seed % 2 == 0) {
          options = Box(std::vector<double>(inputs, -2.0),
                        std::vector<double>(inputs, 2.0));
        }
        const ExactLipschitz exact = Exact(network, options);
        const at::Tensor around =
            exact.point + 1e-6 * at::randn({20, inputs}, at::kDouble);
        const at::Tensor far = 4 * at::rand({2000, inputs}, at::kDouble) - 2;
        const at::Tensor slopes =
            at::linalg_svdvals(
                Linearisation::At(ForwardOf(*network), at::cat({around, far}))
                    ->Jacobians())
                .select(1, 0);
        const double allowed = 1e-12 * (1 + exact.constant);
        EXPECT_TRUE(testing::TensorsNear(
            slopes.narrow(0, 0, 20),
            at::full({20}, exact.constant, at::kDouble), allowed))
            << activation.Name() << " " << inputs << " inputs, seed " << seed;
        EXPECT_LE(slopes.max().item<double>(), exact.constant + allowed);
      }
    }
  }
}

// Differences of neighbours on a line: a mean of slopes each.
TEST(ExactLipschitzTest, OfOneInputIsTheSteepestDifference) {
  for (const ActivationSpec& activation : PiecewiseActivations()) {
    for (const int64_t seed : {7, 8, 9}) {
      Sequential network = RandomMlp(seed, {1, 8, 8, 1}, activation);
      network->to(at::kDouble);
      network->eval();
      const torch::NoGradGuard no_grad;
      const at::Tensor x = at::linspace(-3, 3, 60001, at::kDouble);
      const at::Tensor y = network->forward(x.unsqueeze(1)).squeeze(1);
      const double steepest = (y.diff() / x.diff()).abs().max().item<double>();
      for (const Norm norm : kAllNorms) {
        ExactLipschitzOptions options = Box({-3}, {3});
        options.norm = norm;
        const ExactLipschitz exact = Exact(network, options);
        EXPECT_LE(steepest, exact.constant + 1e-9);
        EXPECT_GE(steepest, exact.constant - 1e-9)
            << activation.Name() << " seed " << seed;
      }
    }
  }
}

// In the other norms too: lower bound ≤ exact ≤ proven.
TEST(ExactLipschitzTest, IsBetweenThemInEveryNorm) {
  for (const ActivationSpec& activation : PiecewiseActivations()) {
    for (const Norm norm : kAllNorms) {
      for (const int64_t seed : {10, 11, 12}) {
        Sequential network = RandomMlp(seed, {2, 8, 8, 2}, activation,
                                       ConstraintKind::kLinfRows);
        network->to(at::kDouble);
        network->eval();
        ExactLipschitzOptions options;
        options.norm = norm;
        const ExactLipschitz exact = Exact(network, options);
        LowerBoundOptions search;
        search.input_norm = search.output_norm = norm;
        search.steps = 8;
        const auto measured = MeasureTightness(
            *network, 2 * at::randn({16, 2}, at::kDouble), search);
        ASSERT_TRUE(measured.ok()) << measured.status();
        EXPECT_LE(measured->lower.value, exact.constant * (1 + 1e-9))
            << activation.Name() << " " << NormName(norm) << " seed " << seed;
        EXPECT_LE(exact.constant, measured->proven * (1 + 1e-12));
      }
    }
  }
}

TEST(ExactLipschitzTest, TakesAsManyRegionsAsItIsAllowed) {
  // In a box a region is one piece.
  const Sequential network = RandomMlp(3, {1, 8, 1}, ActivationSpec::Relu());
  ExactLipschitzOptions options = Box({-100}, {100});
  const ExactLipschitz exact = Exact(network, options);
  ASSERT_GT(exact.regions, 2);
  options.max_regions = exact.regions;
  EXPECT_EQ(Exact(network, options).regions, exact.regions);
  options.max_regions = exact.regions - 1;
  Sequential same = network;
  EXPECT_TRUE(FailsWith(ComputeExactLipschitz(*same, options),
                        StatusCode::kResourceExhausted,
                        {"max_regions", "activation1"}));
}

TEST(ExactLipschitzTest, OfFloat32NetworksTakesTheirWeights) {
  Sequential network = RandomMlp(6, {2, 8, 8, 1}, ActivationSpec::MaxMin());
  network->eval();
  const ExactLipschitz exact = Exact(network);
  EXPECT_LE(exact.constant, *network->LipschitzBound(Norm::kL2));
  EXPECT_NEAR(SlopeAt(network, exact.point.to(at::kFloat), Norm::kL2),
              exact.constant, 1e-5);
}

TEST(ExactLipschitzTest, SaysWhatIsWrong) {
  const auto compute = [](Sequential network,
                          const ExactLipschitzOptions& options = {}) {
    return ComputeExactLipschitz(*network, options);
  };
  const Sequential small = RandomMlp(1, {2, 8, 2}, ActivationSpec::Relu());
  EXPECT_TRUE(
      FailsWith(compute(RandomMlp(1, {3, 4, 1}, ActivationSpec::Relu())),
                StatusCode::kInvalidArgument, {"1 or 2", "3"}));
  EXPECT_TRUE(FailsWith(compute(Exactly({Affine(Matrix({{1, 1}, {1, 0}})),
                                         std::make_shared<ResidualImpl>(Affine(
                                             Matrix({{1, 0}, {0, 1}})))})),
                        StatusCode::kFailedPrecondition, {"layer1"}));
  EXPECT_TRUE(FailsWith(compute(small, Box({0}, {1})),
                        StatusCode::kInvalidArgument, {"1 lower", "2 inputs"}));
  EXPECT_TRUE(FailsWith(compute(small, Box({0, 1}, {1, 1})),
                        StatusCode::kInvalidArgument, {"from 1 to 1"}));
  ExactLipschitzOptions options;
  options.max_regions = 20;
  EXPECT_TRUE(FailsWith(compute(small, options), StatusCode::kResourceExhausted,
                        {"max_regions = 20", "activation1"}));
  options = {};
  options.tolerance = -1;
  EXPECT_TRUE(FailsWith(compute(small, options), StatusCode::kInvalidArgument,
                        {"tolerance"}));
}

}  // namespace
}  // namespace lipschitz
