#include "experiments/function_fitting/grid.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "tests/testing/tensors.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;

at::Tensor Length(const at::Tensor& x, Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return x.abs().sum(1);
    case Norm::kL2:
      return x.square().sum(1).sqrt();
    case Norm::kLinf:
      break;
  }
  return x.abs().amax(1);
}

TEST(Grid, HasTheEndsAndTheLastCoordinateChangesFastest) {
  const Grid line{{1, -1.0, 2.0}, 4};
  EXPECT_DOUBLE_EQ(line.Spacing(), 1.0);
  EXPECT_TRUE(TensorsNear(line.Points(), Matrix({{-1}, {0}, {1}, {2}}), 0.0));
  const Grid square{{2, 0.0, 1.0}, 2};
  EXPECT_TRUE(TensorsNear(square.Points(),
                          Matrix({{0, 0}, {0, 1}, {1, 0}, {1, 1}}), 0.0));
}

TEST(Grid, NoPointOfTheBoxIsFartherThanTheCoveringRadius) {
  for (const int64_t dim : {1, 2, 3}) {
    const Grid grid{{dim, -1.0, 1.0}, 5};
    at::manual_seed(1);
    // The centre of a cell is the farthest; the others are anywhere.
    const at::Tensor x =
        at::cat({at::full({1, dim}, grid.Spacing() / 2, at::kDouble),
                 at::rand({2000, dim}, at::kDouble) * 2 - 1});
    for (const Norm norm : kAllNorms) {
      double farthest = 0.0;
      for (int64_t i = 0; i < x.size(0); ++i) {
        farthest = std::max(
            farthest, Length(grid.Points() - x[i], norm).min().item<double>());
      }
      EXPECT_NEAR(farthest, grid.CoveringRadius(norm), 1e-12)
          << dim << NormName(norm);
    }
  }
}

// A cone between the grid points that none of them sees, and its mirror image:
// the error is everywhere but on the grid, and as large as the bound allows.
TEST(MeasureFit, TheBoundHoldsForWhatTheGridMissesAndIsAttained) {
  for (const int64_t dim : {1, 2}) {
    const Grid grid{{dim, 0.0, 1.0}, 11};
    const at::Tensor apex =
        at::full({1, dim}, 0.3 + grid.Spacing() / 2, at::kDouble);
    for (const Norm norm : kAllNorms) {
      const auto cone = [&](const at::Tensor& x) {
        return (grid.CoveringRadius(norm) - Length(x - apex, norm))
            .clamp_min(0.0);
      };
      const at::Tensor seen = cone(grid.Points());
      ASSERT_LT(seen.max().item<double>(), 1e-12);
      const FitError error = MeasureFit(seen, -seen, grid, norm, 1.0);
      EXPECT_LT(error.sup_error, 1e-12);
      EXPECT_LT(error.mean_squared_error, 1e-24);
      EXPECT_NEAR(error.sup_error_bound, 2 * cone(apex).item<double>(), 1e-12)
          << dim << NormName(norm);
    }
  }
}

TEST(MeasureFit, ErrorsAreThoseOnTheGrid) {
  const Grid grid{{1, 0.0, 3.0}, 4};
  const at::Tensor fit = at::tensor({0.0, 1.0, 0.5, 0.0}, at::kDouble);
  const at::Tensor target = at::tensor({0.0, 0.5, 0.5, 0.75}, at::kDouble);
  const FitError error = MeasureFit(fit, target, grid, Norm::kL2, 0.5);
  EXPECT_DOUBLE_EQ(error.sup_error, 0.75);
  EXPECT_DOUBLE_EQ(error.sup_error_bound, 0.75 + 0.5 * 1.5);
  EXPECT_DOUBLE_EQ(error.mean_squared_error, (0.25 + 0.5625) / 4);
  EXPECT_DOUBLE_EQ(error.steepest_slope, 1.0);
}

TEST(MeasureFit, TheSteepestSlopeIsFoundInEveryDirection) {
  const Grid grid{{2, -1.0, 1.0}, 9};
  const at::Tensor x = grid.Points();
  const at::Tensor zero = at::zeros({x.size(0)}, at::kDouble);
  struct Case {
    double a, b;
    Norm norm;
    double slope;
  };
  // Of ax + by: the dual norm of (a, b), where a neighbour lies that way.
  for (const Case& c :
       {Case{2, 0, Norm::kL2, 2}, Case{0, -3, Norm::kL2, 3},
        Case{1, 1, Norm::kL2, std::sqrt(2.0)},
        Case{-1, 1, Norm::kL2, std::sqrt(2.0)}, Case{2, -3, Norm::kLinf, 5},
        Case{2, 3, Norm::kLinf, 5}, Case{2, -3, Norm::kL1, 3}}) {
    const at::Tensor plane = c.a * x.select(1, 0) + c.b * x.select(1, 1);
    EXPECT_NEAR(MeasureFit(plane, zero, grid, c.norm, 9.0).steepest_slope,
                c.slope, 1e-12)
        << c.a << " " << c.b << " " << NormName(c.norm);
  }
}

}  // namespace
}  // namespace lipschitz::experiments
