#include "lipschitz/certify/dual_norms.h"

#include <ATen/ATen.h>

#include <vector>

#include "lipschitz/base/rounding.h"

namespace lipschitz {

using rounding::Gamma;

at::Tensor VectorNorms(const at::Tensor& vectors) {
  const double n = static_cast<double>(vectors.size(-1));
  const at::Tensor magnitudes = vectors.abs();
  const at::Tensor largest = magnitudes.amax(-1);
  const at::Tensor sums = magnitudes.sum(-1) * (1.0 + Gamma(n + 4));
  // Squares that underflowed are at most the least float64 each.
  const at::Tensor lengths =
      (magnitudes.square().sum(-1) + n * 5e-324).sqrt() * (1.0 + Gamma(n + 6));
  // Exactly zero for a zero vector.
  return at::stack({sums, at::where(largest > 0, lengths, largest), largest},
                   -1);
}

at::Tensor DualNorms(const at::Tensor& vectors) {
  // In the order l1, l2, linf the dual norms are those of the reverse order.
  return VectorNorms(vectors).flip(-1);
}

at::Tensor PairDualNorms(const at::Tensor& rows) {
  std::vector<at::Tensor> pairs;
  // One class at a time: all differences together would be classes times the
  // matrix. A difference is off by a unit roundoff.
  for (int64_t y = 0; y < rows.size(0); ++y) {
    pairs.push_back(DualNorms(rows[y] - rows) * (1.0 + Gamma(4)));
  }
  return at::stack(pairs);
}

}  // namespace lipschitz
