#include "lipschitz/attacks/feasible_set.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/data/random.h"
#include "tests/testing/instruction_sets.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::EveryInstructionSet;
using ::lipschitz::testing::InstructionSetName;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::OnInstructionSet;
using ::lipschitz::testing::TensorsNear;

const std::vector<Norm>& Norms() {
  static const std::vector<Norm> kNorms = {Norm::kL2, Norm::kLinf};
  return kNorms;
}

at::Tensor Distances(const at::Tensor& a, const at::Tensor& b, Norm norm) {
  const at::Tensor difference =
      (a.to(at::kDouble) - b.to(at::kDouble)).flatten(1);
  return norm == Norm::kL2 ? difference.norm(2, 1) : difference.abs().amax(1);
}

// Pixels of which a third are 0 and a third are 1.
at::Tensor Pixels(int64_t n, int64_t d, at::ScalarType type) {
  return (at::rand({n, d}, type) * 3 - 1).clamp(0, 1);
}

TEST(FeasibleSetTest, NothingLeavesTheBallOrTheBoxByRounding) {
  for (int64_t seed = 0; seed < 20; ++seed) {
    torch::manual_seed(static_cast<uint64_t>(seed));
    const at::ScalarType type = seed % 2 == 0 ? at::kFloat : at::kDouble;
    const at::Tensor x = Pixels(50, 30, type);
    // From far below the spacing of the pixels to more than the box.
    const at::Tensor epsilon =
        at::pow(10.0, at::rand({50}, at::kDouble) * 12 - 10);
    for (Norm norm : Norms()) {
      const FeasibleSet set(x, MakeThreat(norm, epsilon));
      for (double length : {1e-3, 1.0, 1e6}) {
        const at::Tensor point = set.Project(x + at::randn_like(x) * length);
        EXPECT_EQ(point.scalar_type(), type);
        EXPECT_TRUE((Distances(point, x, norm) <= epsilon).all().item<bool>());
        EXPECT_TRUE((point >= 0).logical_and(point <= 1).all().item<bool>());
      }
    }
  }
}

TEST(FeasibleSetTest, NegativeStepsAreHeldToo) {
  // A check by the maximum, without magnitudes, lets them pass.
  const at::Tensor x = Matrix({{0.5, 0.5}});
  const FeasibleSet linf(x, MakeThreat(Norm::kLinf, 0.125));
  EXPECT_TRUE(TensorsNear(linf.Project(Matrix({{-9, 0.45}})),
                          Matrix({{0.375, 0.45}}), 1e-15));
}

TEST(FeasibleSetTest, PointsInsideStay) {
  const at::Tensor x = Pixels(20, 10, at::kDouble);
  const at::Tensor inside = (x + at::randn_like(x) * 0.02).clamp(0, 1);
  for (Norm norm : Norms()) {
    const FeasibleSet set(x, MakeThreat(norm, 0.5));
    EXPECT_TRUE(TensorsNear(set.Project(inside), inside, 1e-15));
    EXPECT_TRUE(TensorsNear(set.Project(x), x, 0));
  }
}

// x + clamp(s (z − x)) with s by bisection.
at::Tensor ProjectionByBisection(const at::Tensor& x, const at::Tensor& z,
                                 double epsilon) {
  const auto at_scale = [&](double s) { return (x + (z - x) * s).clamp(0, 1); };
  double low = 0;
  double high = 1;
  if ((at_scale(1) - x).norm().item<double>() <= epsilon) return at_scale(1);
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    ((at_scale(middle) - x).norm().item<double>() <= epsilon ? low : high) =
        middle;
  }
  return at_scale(low);
}

using FeasibleSetOnTarget = OnInstructionSet;
INSTANTIATE_TEST_SUITE_P(, FeasibleSetOnTarget, EveryInstructionSet(),
                         InstructionSetName);

TEST_P(FeasibleSetOnTarget, L2IsTheExactProjectionOnBallAndBoxTogether) {
  for (int64_t seed = 0; seed < 10; ++seed) {
    torch::manual_seed(static_cast<uint64_t>(seed));
    const at::Tensor x = Pixels(10, 40, at::kDouble);
    const at::Tensor z = x + at::randn_like(x) * 0.7;
    const double epsilon = 0.1 + 0.2 * static_cast<double>(seed);
    const at::Tensor projected =
        FeasibleSet(x, MakeThreat(Norm::kL2, epsilon)).Project(z);
    for (int64_t i = 0; i < x.size(0); ++i) {
      const at::Tensor expected = ProjectionByBisection(x[i], z[i], epsilon);
      EXPECT_TRUE(TensorsNear(projected[i], expected, 1e-6));
      // No random point of the set is nearer.
      for (int k = 0; k < 20; ++k) {
        at::Tensor other = at::randn_like(x[i]);
        other = (x[i] + other / other.norm() * (epsilon * 0.999)).clamp(0, 1);
        EXPECT_LE((projected[i] - z[i]).norm().item<double>(),
                  (other - z[i]).norm().item<double>());
      }
    }
  }
}

TEST_P(FeasibleSetOnTarget, L2TakesEveryDimensionAndBox) {
  torch::manual_seed(7);
  for (int64_t dim = 1; dim < 40; ++dim) {
    for (const InputBox box :
         {InputBox{0.5, 2.0}, InputBox{-3.0, -1.0}, InputBox::Everywhere()}) {
      const double lower = std::max(box.lower, -9.0);
      const double upper = std::min(box.upper, 9.0);
      const at::Tensor x =
          at::rand({2, dim}, at::kDouble) * (upper - lower) + lower;
      const at::Tensor z = x + at::randn_like(x) * 2;
      const double epsilon = 0.8;
      const at::Tensor projected =
          FeasibleSet(x, MakeThreat(Norm::kL2, epsilon, box)).Project(z);
      EXPECT_TRUE((projected >= box.lower).all().item<bool>());
      EXPECT_TRUE((projected <= box.upper).all().item<bool>());
      const auto cut_step = [&](double scale) {
        return (x + (z - x) * scale).clamp(box.lower, box.upper) - x;
      };
      // The whole step, or one as long as the radius.
      const at::Tensor length = cut_step(1.0).norm(2, 1).clamp_max(epsilon);
      EXPECT_TRUE(TensorsNear(Distances(projected, x, Norm::kL2), length, 1e-6))
          << dim;
    }
  }
}

TEST(FeasibleSetTest, PointsThatAreNotFiniteGoBackToTheExample) {
  const at::Tensor x = Pixels(1, 3, at::kFloat);
  const FeasibleSet set(x, MakeThreat(Norm::kL2, 0.5));
  EXPECT_TRUE(set.Project(at::full({1, 3}, NAN, at::kFloat)).equal(x));
}

TEST(FeasibleSetTest, DirectionsAreSteepestForEveryScaleOfTheGradient) {
  const at::Tensor x = at::zeros({3, 4}, at::kFloat);
  const at::Tensor gradient =
      Matrix({{3, -4, 0, 0}, {1e-30, 1e-30, 0, 0}, {1e30, 0, 0, -1e30}})
          .to(at::kFloat);
  const RandomSource random(0);
  const double h = std::sqrt(0.5);
  EXPECT_TRUE(TensorsNear(
      FeasibleSet(x, MakeThreat(Norm::kL2, 1)).Direction(gradient, random),
      Matrix({{0.6, -0.8, 0, 0}, {h, h, 0, 0}, {h, 0, 0, -h}}), 1e-6));
  EXPECT_TRUE(TensorsNear(
      FeasibleSet(x, MakeThreat(Norm::kLinf, 1)).Direction(gradient, random),
      Matrix({{1, -1, 0, 0}, {1, 1, 0, 0}, {1, 0, 0, -1}}), 0));
}

TEST(FeasibleSetTest, AZeroGradientGetsARandomDirection) {
  const at::Tensor x = at::zeros({2, 30});
  const RandomSource random(0);
  const FeasibleSet l2(x, MakeThreat(Norm::kL2, 1));
  const at::Tensor direction = l2.Direction(at::zeros({2, 30}), random);
  EXPECT_TRUE(TensorsNear(direction.norm(2, 1), at::ones({2}), 1e-6));
  EXPECT_GT((direction[0] - direction[1]).norm().item<double>(), 0.1);
  const FeasibleSet linf(x, MakeThreat(Norm::kLinf, 1));
  EXPECT_TRUE(linf.Direction(at::zeros({2, 30}), random)
                  .abs()
                  .eq(1)
                  .all()
                  .item<bool>());
}

TEST(FeasibleSetTest, RandomPointsFillTheSet) {
  const at::Tensor x = at::full({400, 8}, 0.5);
  for (Norm norm : Norms()) {
    const FeasibleSet set(x, MakeThreat(norm, 0.25));
    const RandomSource random(1);
    const at::Tensor distances = Distances(set.RandomPoint(random), x, norm);
    EXPECT_LE(distances.max().item<double>(), 0.25);
    EXPECT_GT(distances.max().item<double>(), 0.24);
    EXPECT_LT(distances.min().item<double>(), norm == Norm::kL2 ? 0.01 : 0.2);
    // Not the same again.
    EXPECT_GT((set.RandomPoint(random) - set.RandomPoint(random))
                  .abs()
                  .max()
                  .item<double>(),
              0.1);
  }
}

TEST(FeasibleSetTest, SelectedExamplesKeepTheirOwnBalls) {
  const at::Tensor x = Pixels(4, 6, at::kFloat);
  const at::Tensor epsilon = at::tensor({0.0, 0.1, 0.2, 0.3}, at::kDouble);
  const at::Tensor rows = at::tensor({3, 1}, at::kLong);
  for (Norm norm : Norms()) {
    const FeasibleSet set(x, MakeThreat(norm, epsilon));
    const at::Tensor z = x + 10;
    EXPECT_TRUE(set.Select(rows)
                    .Project(z.index_select(0, rows))
                    .equal(set.Project(z).index_select(0, rows)));
    EXPECT_TRUE(set.Project(z)[0].equal(x[0]));
    EXPECT_TRUE(
        set.Select(rows).reach().equal(set.reach().index_select(0, rows)));
  }
}

TEST(FeasibleSetTest, ImagesOfAnyShapeAreOneVectorEach) {
  const at::Tensor x = Pixels(3, 8, at::kDouble);
  const at::Tensor z = x + at::randn_like(x);
  for (Norm norm : Norms()) {
    const ThreatModel threat = MakeThreat(norm, 0.3);
    EXPECT_TRUE(TensorsNear(FeasibleSet(x.reshape({3, 2, 2, 2}), threat)
                                .Project(z.reshape({3, 2, 2, 2}))
                                .flatten(1),
                            FeasibleSet(x, threat).Project(z), 0));
  }
}

TEST(FeasibleSetTest, WithoutABoxOnlyTheBallHolds) {
  const at::Tensor x = at::full({1, 4}, 100.0, at::kDouble);
  const FeasibleSet set(x, MakeThreat(Norm::kL2, 2.0, InputBox::Everywhere()));
  EXPECT_TRUE(TensorsNear(set.Project(x + 50),
                          at::full({1, 4}, 101.0, at::kDouble), 1e-9));
}

}  // namespace
}  // namespace lipschitz
