#include "lipschitz/linalg/block_banded.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include "lipschitz/base/rounding.h"
#include "lipschitz/linalg/upward_norms.h"

namespace lipschitz {

using rounding::Gamma;
using rounding::kInfinity;
using rounding::Up;

namespace {

// The smallest float64 numbers lose their relative precision; more than what
// all sums here lose by it.
constexpr double kUnderflow = 1e-280;

}  // namespace

double BlockBandedGram::Operations() const {
  const double m = static_cast<double>(block_size);
  const double d = static_cast<double>(bandwidth);
  // Products of blocks, triangular solves, the factor of the diagonal block.
  const double products = (d + 1.0) + d * (d + 1.0) / 2.0;
  return static_cast<double>(blocks) * m * m * m *
         (2.0 * products + d + 1.0 / 3.0);
}

double LargestEigenvalueAtMost(const BlockBandedGram& gram, double shift) {
  const at::Tensor identity = at::eye(gram.block_size, at::kDouble);
  // columns[c][d] is the block L(k + d, k) of one of the last columns k.
  std::deque<std::vector<at::Tensor>> columns;
  double residual = 0.0;
  double length = 0.0;
  for (int64_t j = 0; j < gram.blocks; ++j) {
    const int64_t last = std::min(gram.blocks - 1, j + gram.bandwidth);
    std::vector<at::Tensor> column;
    at::Tensor diagonal_factor;
    for (int64_t i = j; i <= last; ++i) {
      at::Tensor rest = gram.block(i, j).neg_();
      if (i == j) rest.add_(identity, shift);
      for (size_t c = 0; c < columns.size(); ++c) {
        const int64_t k = j - static_cast<int64_t>(columns.size() - c);
        if (i - k > gram.bandwidth) continue;
        rest.addmm_(columns[c][i - k], columns[c][j - k].t(), /*beta=*/1,
                    /*alpha=*/-1);
      }
      if (i == j) {
        const auto [factor, info] = at::linalg_cholesky_ex(rest);
        if (info.item<int64_t>() != 0) return kInfinity;
        diagonal_factor = factor;
        column.push_back(factor);
      } else {
        column.push_back(at::linalg_solve_triangular(
            diagonal_factor.t(), rest, /*upper=*/true, /*left=*/false));
      }
      rest.addmm_(column.back(), diagonal_factor.t(), /*beta=*/1,
                  /*alpha=*/-1);
      const double block_residual = FrobeniusUp(rest);
      const double block_length = FrobeniusUp(column.back());
      // Blocks off the diagonal appear twice in R.
      const double times = i == j ? 1.0 : 2.0;
      residual = Up(residual + Up(times * Up(block_residual * block_residual)));
      length = Up(length + Up(block_length * block_length));
    }
    columns.push_back(std::move(column));
    if (static_cast<int64_t>(columns.size()) > gram.bandwidth) {
      columns.pop_front();
    }
  }
  // Every entry of R is a sum of products, the shift's among them, each of
  // which went through at most n roundings; so its error is at most γ_n times
  // the sum of their magnitudes, and in the Frobenius norm at most
  //   γ_n (‖shift I‖_F + ‖A‖_F² + ‖L‖_F²).
  const double n =
      gram.terms +
      static_cast<double>((gram.bandwidth + 2) * (gram.block_size + 1)) + 4.0;
  const double size = static_cast<double>(gram.blocks * gram.block_size);
  const double magnitude =
      Up(Up(Up(std::sqrt(size)) * shift) + Up(gram.trace + length));
  const double error = Up(Up(Gamma(n) * magnitude) + kUnderflow);
  const double bound = Up(shift + Up(Up(std::sqrt(residual)) + error));
  // Not a number is no bound.
  return bound >= shift ? bound : kInfinity;
}

}  // namespace lipschitz
