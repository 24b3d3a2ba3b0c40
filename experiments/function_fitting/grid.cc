#include "experiments/function_fitting/grid.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lipschitz::experiments {
namespace {

// The length of a vector of `dim` entries ±1.
double DiagonalLength(int64_t dim, Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return static_cast<double>(dim);
    case Norm::kL2:
      return std::sqrt(static_cast<double>(dim));
    case Norm::kLinf:
      return 1.0;
  }
  return std::nan("");
}

// The largest |f(x) − f(x + spacing · step)|, with f by values on the grid.
double LargestDifference(const at::Tensor& values,
                         const std::vector<int64_t>& step) {
  at::Tensor from = values;
  at::Tensor to = values;
  for (int64_t d = 0; d < static_cast<int64_t>(step.size()); ++d) {
    const int64_t length = values.size(d) - std::abs(step[d]);
    from = from.narrow(d, std::max<int64_t>(0, -step[d]), length);
    to = to.narrow(d, std::max<int64_t>(0, step[d]), length);
  }
  return (to - from).abs().max().item<double>();
}

}  // namespace

double Grid::Spacing() const {
  return (box.upper - box.lower) / static_cast<double>(points_per_side - 1);
}

at::Tensor Grid::Points() const {
  const at::Tensor side =
      at::linspace(box.lower, box.upper, points_per_side, at::kDouble);
  const std::vector<at::Tensor> axes(static_cast<size_t>(box.dim), side);
  return at::stack(at::meshgrid(axes, "ij"), /*dim=*/-1).reshape({-1, box.dim});
}

double Grid::CoveringRadius(Norm norm) const {
  return Spacing() / 2 * DiagonalLength(box.dim, norm);
}

FitError MeasureFit(const at::Tensor& fit, const at::Tensor& target,
                    const Grid& grid, Norm norm, double fit_constant) {
  FitError result;
  const at::Tensor error = fit - target;
  result.sup_error = error.abs().max().item<double>();
  result.sup_error_bound =
      result.sup_error + grid.CoveringRadius(norm) * (fit_constant + 1.0);
  result.mean_squared_error = error.square().mean().item<double>();

  const auto dim = static_cast<size_t>(grid.box.dim);
  const at::Tensor values =
      fit.reshape(std::vector<int64_t>(dim, grid.points_per_side));
  // All steps of entries −1, 0 and 1, as the digits of a number.
  const auto steps = static_cast<int64_t>(std::pow(3, dim));
  for (int64_t number = 0; number < steps; ++number) {
    std::vector<int64_t> step;
    for (int64_t digits = number; step.size() < dim; digits /= 3) {
      step.push_back(digits % 3 - 1);
    }
    const auto moved =
        static_cast<int64_t>(dim) - std::count(step.begin(), step.end(), 0);
    if (moved == 0) continue;
    result.steepest_slope =
        std::max(result.steepest_slope,
                 LargestDifference(values, step) /
                     (grid.Spacing() * DiagonalLength(moved, norm)));
  }
  return result;
}

}  // namespace lipschitz::experiments
