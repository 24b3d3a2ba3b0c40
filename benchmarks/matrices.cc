#include "benchmarks/matrices.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace lipschitz::benchmarks {

at::Tensor GaussianMatrix(int64_t rows, int64_t columns) {
  return at::randn({rows, columns});
}

at::Tensor OrthonormalMatrix(int64_t rows, int64_t columns) {
  if (rows > columns) return OrthonormalMatrix(columns, rows).t().contiguous();
  const at::Tensor frequency = at::arange(rows, at::kDouble).unsqueeze(1);
  const at::Tensor position = at::arange(columns, at::kDouble).add(0.5);
  const double n = static_cast<double>(columns);
  at::Tensor matrix =
      (frequency * position * (M_PI / n)).cos_().mul_(std::sqrt(2 / n));
  matrix.select(0, 0).mul_(std::sqrt(0.5));
  return matrix.to(at::kFloat);
}

at::Tensor NearOrthonormalMatrix(int64_t rows, int64_t columns) {
  return OrthonormalMatrix(rows, columns)
      .add_(at::randn({rows, columns}), 1e-4);
}

at::Tensor MatrixWithCondition(int64_t rows, int64_t columns,
                               double condition) {
  const int64_t side = std::min(rows, columns);
  const at::Tensor left = std::get<0>(
      at::linalg_qr(at::randn({rows, side}, at::kDouble), "reduced"));
  const at::Tensor right = std::get<0>(
      at::linalg_qr(at::randn({columns, side}, at::kDouble), "reduced"));
  const at::Tensor values =
      at::logspace(0, -std::log10(condition), side, /*base=*/10, at::kDouble);
  return at::mm(left * values, right.t()).to(at::kFloat);
}

}  // namespace lipschitz::benchmarks
