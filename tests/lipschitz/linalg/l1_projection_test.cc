#include "lipschitz/linalg/l1_projection.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/instruction_sets.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::EveryInstructionSet;
using lipschitz::testing::GradientCheckOptions;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::InstructionSetName;
using lipschitz::testing::Jacobian;
using lipschitz::testing::Matrix;
using lipschitz::testing::OnInstructionSet;
using lipschitz::testing::TensorsNear;

using Projection = std::function<at::Tensor(const at::Tensor&, double)>;

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 7}, {7, 1}, {4, 9}, {9, 4}, {5, 5}};

at::Tensor RowNorms(const at::Tensor& w) { return w.abs().sum(1); }

// The soft threshold that makes the row's norm `radius`, by bisection over all
// thresholds, negative ones too (an independent way to the same number).
double BisectThreshold(const at::Tensor& row, double radius) {
  double low = -radius - 1.0;
  double high = row.abs().max().item<double>();
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    const double norm = (row.abs() - middle).clamp_min(0).sum().item<double>();
    (norm > radius ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

at::Tensor SoftThreshold(const at::Tensor& row, double tau) {
  const at::Tensor sign =
      at::where(row < 0, -at::ones_like(row), at::ones_like(row));
  return sign * (row.abs() - tau).clamp_min(0);
}

const std::vector<std::vector<double>> kGoldenRows = {
    {.9, -.6, .3, 0}, {.25, -.25, .25, -.25}, {.1, .2, -.3, .1}};

TEST(L1Ball, GoldenValues) {
  const at::Tensor expected = Matrix({{.6333333, -.3333333, .0333333, 0},
                                      {.25, -.25, .25, -.25},
                                      {.1, .2, -.3, .1}});
  EXPECT_TRUE(
      TensorsNear(ProjectRowsOntoL1Ball(Matrix(kGoldenRows)), expected, 1e-7));
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Ball(Matrix({{2, -1, .5, 0}})),
                          Matrix({{1, 0, 0, 0}}), 0.0));
}

TEST(L1Sphere, GoldenValues) {
  const at::Tensor expected = Matrix({{.6333333, -.3333333, .0333333, 0},
                                      {.25, -.25, .25, -.25},
                                      {.175, .275, -.375, .175}});
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Sphere(Matrix(kGoldenRows)),
                          expected, 1e-7));
  EXPECT_TRUE(TensorsNear(
      ProjectRowsOntoL1Sphere(Matrix({{.2, -.1, .05, 0}, {2, -1, .5, 0}})),
      Matrix({{.3625, -.2625, .2125, .1625}, {1, 0, 0, 0}}), 1e-12));
}

TEST(RowScaling, GoldenValues) {
  const at::Tensor w = Matrix(kGoldenRows);
  EXPECT_TRUE(TensorsNear(ScaleRowsToL1Norm(w, RowScaling::kAlways),
                          Matrix({{.5, -.3333333, .1666667, 0},
                                  {.25, -.25, .25, -.25},
                                  {.1428571, .2857143, -.4285714, .1428571}}),
                          1e-7));
  EXPECT_TRUE(TensorsNear(ScaleRowsToL1Norm(w, RowScaling::kOnlyDown),
                          Matrix({{.5, -.3333333, .1666667, 0},
                                  {.25, -.25, .25, -.25},
                                  {.1, .2, -.3, .1}}),
                          1e-7));
}

TEST(L1Ball, AgreesWithBisectionOnTheThreshold) {
  at::manual_seed(0);
  for (const auto& [rows, columns] : kShapes) {
    for (double radius : {0.3, 1.0, 4.0}) {
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      const at::Tensor projected = ProjectRowsOntoL1Ball(w, radius);
      for (int64_t i = 0; i < rows; ++i) {
        const double tau = std::max(0.0, BisectThreshold(w[i], radius));
        EXPECT_TRUE(TensorsNear(projected[i], SoftThreshold(w[i], tau), 1e-12));
      }
    }
  }
}

TEST(L1Sphere, AgreesWithBisectionOnTheThreshold) {
  at::manual_seed(1);
  for (const auto& [rows, columns] : kShapes) {
    for (double radius : {0.3, 1.0, 4.0, 20.0}) {
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      const at::Tensor projected = ProjectRowsOntoL1Sphere(w, radius);
      EXPECT_TRUE(TensorsNear(RowNorms(projected),
                              at::full({rows}, radius, at::kDouble), 1e-12));
      for (int64_t i = 0; i < rows; ++i) {
        const double tau = BisectThreshold(w[i], radius);
        EXPECT_TRUE(TensorsNear(projected[i], SoftThreshold(w[i], tau), 1e-12));
      }
    }
  }
}

// p is the nearest point of a convex set exactly when ⟨w − p, z − p⟩ ≤ 0 for
// every z of it; for the ball, the corners ±radius·e_j suffice.
TEST(L1Ball, MeetsTheOptimalityConditions) {
  for (int seed = 0; seed < 30; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      const double radius = 0.25 * (1 + seed % 8);
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      const at::Tensor p = ProjectRowsOntoL1Ball(w, radius);
      EXPECT_LE(RowNorms(p).max().item<double>(), radius * (1 + 1e-14));
      // max over the corners of ⟨w − p, z⟩ is radius·‖w − p‖_∞.
      const at::Tensor excess =
          radius * (w - p).abs().amax(1) - ((w - p) * p).sum(1);
      EXPECT_LE(excess.max().item<double>(), 1e-13);
    }
  }
}

// The sphere is not convex: compare with the nearest point of every face, which
// is the simplex projection under every choice of signs.
TEST(L1Sphere, NoFaceOfTheSphereHoldsANearerPoint) {
  at::manual_seed(2);
  const int64_t n = 4;
  for (int trial = 0; trial < 50; ++trial) {
    const at::Tensor row = at::randn({n}, at::kDouble) * (0.1 + 0.05 * trial);
    const double distance = (ProjectRowsOntoL1Sphere(row.unsqueeze(0))[0] - row)
                                .norm()
                                .item<double>();
    for (int signs = 0; signs < 16; ++signs) {
      at::Tensor sign = at::ones({n}, at::kDouble);
      for (int64_t j = 0; j < n; ++j) {
        if ((signs >> j) & 1) sign[j] = -1;
      }
      // Nearest point of the simplex to sign·row, by bisection.
      const at::Tensor y = sign * row;
      double low = -10.0, high = 10.0;
      for (int i = 0; i < 100; ++i) {
        const double middle = 0.5 * (low + high);
        const double sum = (y - middle).clamp_min(0).sum().item<double>();
        (sum > 1.0 ? low : high) = middle;
      }
      const at::Tensor face = sign * (y - low).clamp_min(0);
      EXPECT_LE(distance, (face - row).norm().item<double>() + 1e-12);
    }
  }
}

TEST(L1Ball, LeavesRowsInsideBitForBit) {
  at::manual_seed(3);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    at::Tensor w = at::randn({6, 8}, type);
    w = w / (w.abs().sum(1, true) * 1.5);
    w[2].zero_();
    w[3][4] = 0;
    EXPECT_TRUE(ProjectRowsOntoL1Ball(w).equal(w));
    EXPECT_TRUE(ScaleRowsToL1Norm(w, RowScaling::kOnlyDown).equal(w));
  }
}

TEST(L1Ball, ProjectsEveryRowByItself) {
  at::manual_seed(4);
  const at::Tensor w = at::randn({5, 6}, at::kDouble);
  const at::Tensor together = ProjectRowsOntoL1Ball(w);
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(together[i].equal(ProjectRowsOntoL1Ball(w.narrow(0, i, 1))[0]));
  }
}

TEST(L1Projections, AreIdempotent) {
  at::manual_seed(5);
  for (const auto& [rows, columns] : kShapes) {
    for (double radius : {0.5, 1.0, 3.0}) {
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      for (const Projection& project : {Projection(ProjectRowsOntoL1Ball),
                                        Projection(ProjectRowsOntoL1Sphere)}) {
        const at::Tensor once = project(w, radius);
        EXPECT_TRUE(TensorsNear(project(once, radius), once, 1e-14));
      }
      const at::Tensor scaled =
          ScaleRowsToL1Norm(w, RowScaling::kAlways, radius);
      EXPECT_TRUE(
          TensorsNear(ScaleRowsToL1Norm(scaled, RowScaling::kAlways, radius),
                      scaled, 1e-14));
    }
  }
}

TEST(L1Projections, ScaleWithTheRadius) {
  at::manual_seed(6);
  const at::Tensor w = at::randn({5, 7}, at::kDouble);
  for (double radius : {0.125, 8.0}) {
    EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Ball(w * radius, radius),
                            ProjectRowsOntoL1Ball(w) * radius, 1e-13));
    EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Sphere(w * radius, radius),
                            ProjectRowsOntoL1Sphere(w) * radius, 1e-13));
    EXPECT_TRUE(TensorsNear(ScaleRowsToL1Norm(w, RowScaling::kAlways, radius),
                            ScaleRowsToL1Norm(w) * radius, 1e-13));
  }
}

TEST(L1Projections, KeepFloat32WithinRounding) {
  at::manual_seed(7);
  const at::Tensor w = at::randn({20, 784});
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Ball(w),
                          ProjectRowsOntoL1Ball(w.to(at::kDouble)), 1e-5));
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Sphere(w * 1e-3),
                          ProjectRowsOntoL1Sphere(w.to(at::kDouble) * 1e-3),
                          1e-5));
  EXPECT_EQ(ProjectRowsOntoL1Ball(w).scalar_type(), at::kFloat);
}

TEST(L1Projections, KeepTiesTied) {
  const at::Tensor w = Matrix({{1, -1, 1, 1}, {3, 3, -3, 0}});
  const at::Tensor expected =
      Matrix({{.25, -.25, .25, .25}, {1.0 / 3, 1.0 / 3, -1.0 / 3, 0}});
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Ball(w), expected, 1e-15));
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Sphere(w), expected, 1e-15));
}

TEST(L1Projections, TreatZeroRowsAsDocumented) {
  const at::Tensor zero = at::zeros({2, 4}, at::kDouble);
  EXPECT_TRUE(ProjectRowsOntoL1Ball(zero).equal(zero));
  EXPECT_TRUE(TensorsNear(ProjectRowsOntoL1Sphere(zero, 2.0),
                          at::full({2, 4}, 0.5, at::kDouble), 1e-15));
  EXPECT_TRUE(ScaleRowsToL1Norm(zero, RowScaling::kAlways).equal(zero));
  EXPECT_TRUE(ScaleRowsToL1Norm(zero, RowScaling::kOnlyDown).equal(zero));
}

// LNets' threshold of a short row is negative, so that its "ball projection"
// lengthens rows; ours must not.
TEST(L1Ball, NeverLengthensARow) {
  at::manual_seed(8);
  const at::Tensor w = at::randn({50, 6}, at::kDouble) * 0.2;
  const at::Tensor growth = RowNorms(ProjectRowsOntoL1Ball(w)) - RowNorms(w);
  EXPECT_LE(growth.max().item<double>(), 1e-15);
}

// LNets ignores the derivative of the threshold.
TEST(L1Projections, GradientsMatchFiniteDifferences) {
  GradientCheckOptions options;
  options.second_order = true;
  // Rows outside, inside, and with entries that the threshold cuts off; no
  // entry near a kink.
  const at::Tensor w = Matrix({{.9, -.6, .3, 0.01},
                               {.1, .2, -.3, .15},
                               {2, -1.5, .4, -.1},
                               {-1.1, .9, 1.3, -.8}});
  for (double radius : {0.7, 1.0, 2.5}) {
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return ProjectRowsOntoL1Ball(in[0], radius); },
        {w}, options));
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return ProjectRowsOntoL1Sphere(in[0], radius); },
        {w}, options));
    for (RowScaling scaling : {RowScaling::kAlways, RowScaling::kOnlyDown}) {
      GradientCheckOptions loose = options;
      loose.absolute = 1e-6;
      EXPECT_TRUE(GradientsAgree(
          [&](const auto& in) {
            return ScaleRowsToL1Norm(in[0], scaling, radius);
          },
          {w}, loose));
    }
  }
}

TEST(L1Projections, GradientsMatchFiniteDifferencesForSingleRowsAndColumns) {
  at::manual_seed(9);
  for (const at::Tensor& w :
       {at::randn({1, 6}, at::kDouble), at::randn({6, 1}, at::kDouble)}) {
    EXPECT_TRUE(GradientsAgree(
        [](const auto& in) { return ProjectRowsOntoL1Ball(in[0], 0.8); }, {w}));
    EXPECT_TRUE(GradientsAgree(
        [](const auto& in) { return ProjectRowsOntoL1Sphere(in[0], 0.8); },
        {w}));
  }
}

// Inside the ball the projection is the identity, also at zero entries: a layer
// that starts at zero must be able to learn.
TEST(L1Ball, JacobianInsideIsTheIdentityAlsoAtZeros) {
  for (const at::Tensor& w :
       {at::zeros({1, 4}, at::kDouble), Matrix({{.2, 0, -.1, 0}})}) {
    const at::Tensor jacobian = Jacobian(
        [](const at::Tensor& x) { return ProjectRowsOntoL1Ball(x); }, w);
    EXPECT_TRUE(TensorsNear(jacobian, at::eye(4, at::kDouble), 0.0));
  }
}

// On the face with k entries the Jacobian is I − ssᵀ/k there, zero elsewhere.
at::Tensor FaceJacobian(const at::Tensor& sign) {
  return at::diag(sign.abs()) - at::outer(sign, sign) / sign.abs().sum();
}

// A projected row lies on the boundary and has zeros: the usual state of a
// stored weight, and a kink. The derivative must still be that of one piece.
TEST(L1Projections, JacobianOnTheBoundaryIsThatOfOnePiece) {
  const at::Tensor w = Matrix({{.5, -.5, 0}});
  const at::Tensor inside = at::eye(3, at::kDouble);
  const std::vector<at::Tensor> faces = {
      FaceJacobian(at::tensor({1., -1., 0.}, at::kDouble)),
      FaceJacobian(at::tensor({1., -1., 1.}, at::kDouble)),
      FaceJacobian(at::tensor({1., -1., -1.}, at::kDouble))};
  const at::Tensor ball =
      Jacobian([](const at::Tensor& x) { return ProjectRowsOntoL1Ball(x); }, w);
  const at::Tensor sphere = Jacobian(
      [](const at::Tensor& x) { return ProjectRowsOntoL1Sphere(x); }, w);
  bool ball_found = bool(TensorsNear(ball, inside, 1e-15));
  bool sphere_found = false;
  for (const at::Tensor& face : faces) {
    ball_found |= bool(TensorsNear(ball, face, 1e-15));
    sphere_found |= bool(TensorsNear(sphere, face, 1e-15));
  }
  EXPECT_TRUE(ball_found) << ball;
  EXPECT_TRUE(sphere_found) << sphere;
}

TEST(L1Sphere, AZeroEntryCountsAsPositiveForGradientsToo) {
  const at::Tensor jacobian =
      Jacobian([](const at::Tensor& x) { return ProjectRowsOntoL1Sphere(x); },
               Matrix({{.2, -.1, 0}}));
  EXPECT_TRUE(TensorsNear(
      jacobian, FaceJacobian(at::tensor({1., -1., 1.}, at::kDouble)), 1e-15));
}

TEST(RowScaling, GradientAtAZeroRowIsFinite) {
  for (RowScaling scaling : {RowScaling::kAlways, RowScaling::kOnlyDown}) {
    const at::Tensor jacobian = Jacobian(
        [&](const at::Tensor& x) { return ScaleRowsToL1Norm(x, scaling); },
        at::zeros({1, 3}, at::kDouble));
    EXPECT_TRUE(at::isfinite(jacobian).all().item<bool>());
  }
}

// A map and the composition of operators that it has to agree with.
struct Pair {
  const char* name;
  Projection map;
  Projection composition;
};

const std::vector<Pair>& Pairs() {
  static const auto* const pairs = new std::vector<Pair>{
      {"ball", ProjectRowsOntoL1Ball, composed::ProjectRowsOntoL1Ball},
      {"sphere", ProjectRowsOntoL1Sphere, composed::ProjectRowsOntoL1Sphere},
      {"scale",
       [](const at::Tensor& w, double radius) {
         return ScaleRowsToL1Norm(w, RowScaling::kAlways, radius);
       },
       [](const at::Tensor& w, double radius) {
         return composed::ScaleRowsToL1Norm(w, RowScaling::kAlways, radius);
       }},
      {"scale down",
       [](const at::Tensor& w, double radius) {
         return ScaleRowsToL1Norm(w, RowScaling::kOnlyDown, radius);
       },
       [](const at::Tensor& w, double radius) {
         return composed::ScaleRowsToL1Norm(w, RowScaling::kOnlyDown, radius);
       }}};
  return *pairs;
}

// The gradient of ⟨g, map(w)⟩.
at::Tensor PullBack(const Projection& map, const at::Tensor& w,
                    const at::Tensor& g, double radius = 1.0) {
  const at::Tensor leaf = w.detach().requires_grad_(true);
  return torch::autograd::grad({map(leaf, radius)}, {leaf}, {g})[0];
}

// Row lengths around every vector width.
const std::vector<std::pair<int64_t, int64_t>> kWideShapes = {
    {0, 5},  {3, 1},  {1, 1},  {2, 2},  {5, 3},   {2, 4},
    {3, 7},  {4, 8},  {3, 9},  {2, 15}, {1, 16},  {3, 17},
    {2, 31}, {1, 33}, {2, 64}, {3, 65}, {1, 127}, {4, 300}};

TEST(L1Kernels, AgreeWithTheCompositions) {
  at::manual_seed(10);
  for (const auto& [rows, columns] : kWideShapes) {
    for (double radius : {0.01, 1.0, 5.0, 100.0}) {
      for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
        const double tolerance = radius * (type == at::kFloat ? 1e-5 : 1e-13) *
                                 std::max(1.0, 1.0 / radius);
        const at::Tensor w = at::randn({rows, columns}, type);
        const at::Tensor g = at::randn({rows, columns}, type);
        for (const Pair& pair : Pairs()) {
          SCOPED_TRACE(::testing::Message()
                       << pair.name << " " << w.sizes() << " to " << radius);
          const at::Tensor p = pair.map(w, radius);
          EXPECT_EQ(p.scalar_type(), type);
          EXPECT_TRUE(TensorsNear(p, pair.composition(w, radius), tolerance));
          EXPECT_TRUE(TensorsNear(PullBack(pair.map, w, g, radius),
                                  PullBack(pair.composition, w, g, radius),
                                  type == at::kFloat ? 2e-4 : 1e-11));
        }
      }
    }
  }
}

TEST(L1Kernels, AgreeWithTheCompositionsAtTiesAndZeros) {
  at::manual_seed(11);
  for (const auto& [rows, columns] : kWideShapes) {
    // Multiples of 1/2, with zeros of both signs.
    const at::Tensor w =
        (at::randn({rows, columns}, at::kDouble) * 2).round() / 2;
    for (double radius : {0.25, 1.0, 2.5, 64.0}) {
      for (const Pair& pair : Pairs()) {
        SCOPED_TRACE(::testing::Message()
                     << pair.name << " " << w.sizes() << " to " << radius);
        EXPECT_TRUE(TensorsNear(pair.map(w, radius),
                                pair.composition(w, radius), 1e-13));
      }
    }
  }
}

TEST(L1Kernels, NegativeZeroCountsAsPositive) {
  const at::Tensor p = ProjectRowsOntoL1Sphere(Matrix({{-0.0, 0.25, -0.25}}));
  EXPECT_TRUE(TensorsNear(p, Matrix({{1. / 6, 5. / 12, -5. / 12}}), 1e-15));
}

TEST(L1Kernels, KeepRowsThatAreOnTheSphere) {
  const at::Tensor w = Matrix({{.5, -.25, .25, 0}, {0, 0, -1, 0}});
  for (const Pair& pair : Pairs()) {
    EXPECT_TRUE(pair.map(w, 1.0).equal(w)) << pair.name;
    EXPECT_TRUE(pair.map(w.to(at::kFloat), 1.0).equal(w.to(at::kFloat)))
        << pair.name;
  }
  EXPECT_TRUE(TensorsNear(PullBack(ProjectRowsOntoL1Ball, w, at::ones_like(w)),
                          at::ones_like(w), 0.0));
}

// The ball's projection by sorting, in float64, of magnitudes counted from the
// largest, so that rows far outside lose no digits.
at::Tensor SortedProjection(const at::Tensor& row, double radius) {
  const at::Tensor w = row.to(at::kDouble);
  const double largest = w.abs().max().item<double>();
  const at::Tensor below = w.abs() - largest;
  const at::Tensor sorted = std::get<0>(below.sort(0, /*descending=*/true));
  const double* values = sorted.data_ptr<double>();
  double sum = 0.0, threshold = 0.0;
  for (int64_t k = 0; k < sorted.numel(); ++k) {
    sum += values[k];
    if ((sum - radius) / (k + 1) >= values[k]) break;
    threshold = (sum - radius) / (k + 1);
  }
  if (largest + threshold <= 0) return w;
  return w.sign() * (below - threshold).clamp_min(0);
}

// Against the reference, and the norm is the radius within rounding.
void ExpectProjected(const at::Tensor& w, double radius) {
  const at::Tensor p = ProjectRowsOntoL1Ball(w, radius);
  // In float64 that of sums of thousands.
  const double rounding = w.scalar_type() == at::kFloat
                              ? std::numeric_limits<float>::epsilon()
                              : 64 * std::numeric_limits<double>::epsilon();
  const at::Tensor norms = RowNorms(p.to(at::kDouble));
  EXPECT_LE(norms.max().item<double>(), radius * (1 + rounding));
  for (int64_t i = 0; i < w.size(0); ++i) {
    EXPECT_TRUE(TensorsNear(p[i].unsqueeze(0),
                            SortedProjection(w[i], radius).unsqueeze(0),
                            radius * rounding * 4));
    if (RowNorms(w.to(at::kDouble))[i].item<double>() > radius) {
      EXPECT_GE(norms[i].item<double>(), radius * (1 - rounding));
    }
  }
}

TEST(L1Kernels, ProjectRowsOfAnyScale) {
  at::manual_seed(12);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t columns : {1, 5, 64, 257}) {
      for (double scale : {1e-30, 1e-3, 1.0, 1e3, 1e8, 1e30}) {
        SCOPED_TRACE(::testing::Message() << columns << " of " << scale);
        const at::Tensor w = at::randn({4, columns}, type) * scale;
        ExpectProjected(w, 1.0);
        ExpectProjected(w, scale);
        ExpectProjected(w, 30 * scale);
        // Equal entries share the radius, however large they are.
        ExpectProjected(at::full({2, columns}, scale, type), 1.0);
        EXPECT_TRUE(TensorsNear(RowNorms(ScaleRowsToL1Norm(w).to(at::kDouble)),
                                at::ones({4}, at::kDouble), 1e-6));
      }
    }
  }
}

using L1KernelsOnTarget = OnInstructionSet;
INSTANTIATE_TEST_SUITE_P(, L1KernelsOnTarget, EveryInstructionSet(),
                         InstructionSetName);

// Many passes of Newton's method: a geometric decay, and rows of which every
// pass drops the same share, with steps that shrink as fast as they can.
TEST_P(L1KernelsOnTarget, ProjectRowsMadeToBeHard) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t columns : {33, 784, 4096}) {
      std::vector<at::Tensor> rows;
      for (double ratio : {0.5, 0.9, 0.97, 0.999}) {
        rows.push_back(
            at::pow(ratio, at::arange(columns, at::dtype(at::kDouble))));
      }
      for (double share : {0.05, 0.25, 0.4}) {
        std::vector<double> row;
        double left = columns, tau = 1.0, step = 0.9;
        while (int64_t(row.size()) < columns) {
          const double drop = std::max(1.0, std::round(share * left));
          for (double k = 0; k < drop && int64_t(row.size()) < columns; ++k) {
            row.push_back(tau - 0.999 * step);
          }
          left = std::max(1.0, left - drop);
          step *= drop / left;
          tau += step;
        }
        rows.push_back(at::tensor(row, at::kDouble));
      }
      const at::Tensor w = at::stack(rows).to(type);
      for (double radius : {1e-3, 0.1, 0.7, 1.0, 1.5}) {
        SCOPED_TRACE(::testing::Message() << columns << " to " << radius);
        ExpectProjected(w, radius);
        // Barely outside.
        ExpectProjected(w / RowNorms(w).unsqueeze(1) * (1 + 1e-5) * radius,
                        radius);
      }
    }
  }
}

TEST(L1Kernels, TheProjectionOfWideRowsIsTheNearestPoint) {
  at::manual_seed(13);
  for (double radius : {0.1, 1.0, 30.0}) {
    const at::Tensor w = at::randn({8, 785}, at::kDouble);
    const at::Tensor p = ProjectRowsOntoL1Ball(w, radius);
    // As in MeetsTheOptimalityConditions.
    const at::Tensor excess =
        radius * (w - p).abs().amax(1) - ((w - p) * p).sum(1);
    EXPECT_LE(excess.max().item<double>(), 1e-12 * radius);
  }
}

TEST(L1Kernels, WideRowsHaveGradientsOfBothOrders) {
  at::manual_seed(14);
  GradientCheckOptions options;
  options.second_order = true;
  options.absolute = 1e-6;
  const at::Tensor w = at::randn({3, 19}, at::kDouble);
  for (double radius : {1.0, 6.0, 15.0}) {
    for (const Pair& pair : Pairs()) {
      EXPECT_TRUE(GradientsAgree(
          [&](const auto& in) { return pair.map(in[0], radius); }, {w},
          options))
          << pair.name << " to " << radius;
    }
  }
}

// A gradient is linear in what comes from above, and symmetric for projections:
// the derivative of Jg in the direction h is Jh, to any order.
TEST(L1Kernels, GradientsAreDifferentiableInWhatComesFromAbove) {
  at::manual_seed(15);
  const at::Tensor w = at::randn({4, 21}, at::kDouble).requires_grad_(true);
  const at::Tensor h = at::randn({4, 21}, at::kDouble);
  for (const Pair& pair : Pairs()) {
    const auto derivative = [&](const Projection& map) {
      const at::Tensor g =
          at::arange(84, at::dtype(at::kDouble)).reshape({4, 21}).cos();
      g.requires_grad_(true);
      const at::Tensor first =
          torch::autograd::grad({map(w, 5.0)}, {w}, {g}, /*retain_graph=*/true,
                                /*create_graph=*/true)[0];
      // Twice, so that the derivative itself is differentiated.
      const at::Tensor second = torch::autograd::grad(
          {first}, {g}, {h}, /*retain_graph=*/true, /*create_graph=*/true)[0];
      return second;
    };
    EXPECT_TRUE(
        TensorsNear(derivative(pair.map), derivative(pair.composition), 1e-13))
        << pair.name;
  }
  EXPECT_TRUE(TensorsNear(
      PullBack(ProjectRowsOntoL1Ball, w, PullBack(ProjectRowsOntoL1Ball, w, h)),
      PullBack(ProjectRowsOntoL1Ball, w, h), 1e-14));
}

TEST(L1Kernels, TakeMatricesOfAnyLayout) {
  at::manual_seed(16);
  const at::Tensor square = at::randn({12, 24}, at::kDouble);
  for (const at::Tensor& w :
       {square.t(), square.slice(1, 1, 24, 3), square.slice(0, 1, 12, 2),
        square.narrow(0, 3, 1).expand({5, 24}),
        square.narrow(1, 3, 1).expand({12, 4})}) {
    for (const Pair& pair : Pairs()) {
      EXPECT_TRUE(pair.map(w, 0.9).equal(pair.map(w.contiguous(), 0.9)))
          << pair.name;
      const at::Tensor g = at::ones({1, 1}, at::kDouble).expand(w.sizes());
      EXPECT_TRUE(
          PullBack(pair.map, w, g, 0.9)
              .equal(PullBack(pair.map, w.contiguous(), g.contiguous(), 0.9)))
          << pair.name;
    }
  }
}

TEST(L1Kernels, DoNotDependOnTheNumberOfThreads) {
  at::manual_seed(17);
  const at::Tensor w = at::randn({701, 333});
  const at::Tensor g = at::randn({701, 333});
  const int threads = at::get_num_threads();
  for (const Pair& pair : Pairs()) {
    at::set_num_threads(1);
    const at::Tensor p = pair.map(w, 20.0);
    const at::Tensor gradient = PullBack(pair.map, w, g, 20.0);
    at::set_num_threads(4);
    EXPECT_TRUE(pair.map(w, 20.0).equal(p)) << pair.name;
    EXPECT_TRUE(PullBack(pair.map, w, g, 20.0).equal(gradient)) << pair.name;
  }
  at::set_num_threads(threads);
}

// Other processors take other loops.
TEST_P(L1KernelsOnTarget, AgreeWithTheCompositions) {
  at::manual_seed(18);
  const at::Tensor w = at::randn({9, 77}, at::kDouble);
  const at::Tensor g = at::randn({9, 77}, at::kDouble);
  for (const Pair& pair : Pairs()) {
    SCOPED_TRACE(pair.name);
    EXPECT_TRUE(TensorsNear(pair.map(w, 9.0), pair.composition(w, 9.0), 1e-13));
    EXPECT_TRUE(TensorsNear(pair.map(w.to(at::kFloat), 9.0),
                            pair.composition(w, 9.0), 1e-5));
    EXPECT_TRUE(TensorsNear(PullBack(pair.map, w, g, 9.0),
                            PullBack(pair.composition, w, g, 9.0), 1e-13));
  }
}

TEST(L1Kernels, OtherTypesTakeTheComposition) {
  const at::Tensor w = Matrix({{.9, -.6, .3, 0}}).to(at::kBFloat16);
  for (const Pair& pair : Pairs()) {
    const at::Tensor p = pair.map(w, 1.0);
    EXPECT_EQ(p.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(p.equal(pair.composition(w, 1.0))) << pair.name;
  }
}

TEST(L1Kernels, RowsThatAreNotFiniteSpoilNoOthers) {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor w =
      Matrix({{1, nan, 1}, {2, 1, 0}, {-inf, 1, 1}, {.25, .25, .5}});
  for (const Pair& pair : Pairs()) {
    const at::Tensor p = pair.map(w, 1.0);
    EXPECT_TRUE(p[0].isnan().all().item<bool>()) << pair.name;
    EXPECT_TRUE(p[2][0].isnan().item<bool>()) << pair.name;
    EXPECT_NEAR(p[1].abs().sum().item<double>(), 1.0, 1e-15) << pair.name;
    EXPECT_TRUE(p[3].equal(w[3])) << pair.name;
  }
  EXPECT_TRUE(ProjectRowsOntoL1Ball(w)[2].isnan().all().item<bool>());
  EXPECT_TRUE(ProjectRowsOntoL1Sphere(w)[2].isnan().all().item<bool>());
  EXPECT_TRUE(TensorsNear(ScaleRowsToL1Norm(w)[2],
                          at::tensor({nan, 0., 0.}, at::kDouble), 0.0));
}

TEST(L1Kernels, RefuseWhatIsNoMatrixAndNoRadius) {
  const at::Tensor w = at::ones({2, 3});
  for (const Pair& pair : Pairs()) {
    EXPECT_THROW(pair.map(w[0], 1.0), c10::Error) << pair.name;
    EXPECT_THROW(pair.map(w, 0.0), c10::Error) << pair.name;
    EXPECT_THROW(pair.map(w, std::nan("")), c10::Error) << pair.name;
  }
}

}  // namespace
}  // namespace lipschitz
