#include "lipschitz/linalg/l1_projection.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::GradientCheckOptions;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::Jacobian;
using lipschitz::testing::Matrix;
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

}  // namespace
}  // namespace lipschitz
