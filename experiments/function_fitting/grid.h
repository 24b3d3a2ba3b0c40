// A grid on a box, and the distance of a network from a function on all of the
// box, from their values on the grid.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lipschitz/base/norm.h"

namespace lipschitz::experiments {

// [lower, upper]^dim.
struct Box {
  int64_t dim = 1;
  double lower = 0.0;
  double upper = 1.0;
};

// Equidistant points, the box's ends among them.
struct Grid {
  Box box;
  // 2 or more.
  int64_t points_per_side = 2;

  double Spacing() const;
  // (points_per_side^dim, dim) float64; the last coordinate changes fastest.
  at::Tensor Points() const;
  // The distance from the grid of the point of the box that is farthest away.
  double CoveringRadius(Norm norm) const;
};

struct FitError {
  // The largest |fit − target| on the grid.
  double sup_error = 0.0;
  // At least the largest on all of the box, in exact arithmetic.
  double sup_error_bound = 0.0;
  double mean_squared_error = 0.0;
  // The largest |fit(x) − fit(y)| / ‖x − y‖ over neighbours x and y, diagonal
  // ones too: a lower bound of the fit's Lipschitz constant.
  double steepest_slope = 0.0;
};

// `fit` and `target`: the values on grid.Points(), float64, of functions with
// the Lipschitz constants `fit_constant` and 1 in `norm`. Every point of the
// box has one of the grid within the covering radius r, and the error there
// differs by at most r (fit_constant + 1).
FitError MeasureFit(const at::Tensor& fit, const at::Tensor& target,
                    const Grid& grid, Norm norm, double fit_constant);

}  // namespace lipschitz::experiments
