// The largest eigenvalue of a block-banded Gram matrix, from above.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace lipschitz {

// G = A Aᵀ in square blocks, with those further than `bandwidth` from the
// diagonal zero.
struct BlockBandedGram {
  int64_t blocks = 0;
  int64_t block_size = 0;
  // In blocks; 0 for a block-diagonal matrix.
  int64_t bandwidth = 0;
  // The block (i, j), i ≥ j ≥ i − bandwidth, as a float64 tensor that the
  // caller may overwrite. Computed as sums of at most `terms` products, in any
  // order.
  std::function<at::Tensor(int64_t i, int64_t j)> block;
  double terms = 0.0;
  // ‖A‖_F² or more: the trace of G.
  double trace = 0.0;

  // Floating point operations of one call of LargestEigenvalueAtMost.
  double Operations() const;
};

// A number that is not below λmax(G), near `shift` if λmax(G) is below it;
// infinity otherwise, or where Cholesky's factorisation fails. With shift I − G
// = L Lᵀ + R, L block-banded by the factorisation, whose errors are all in R,
// λmax(G) ≤ shift + ‖R‖₂: only products of matrices are relied upon. Keeps a
// window of the factor, (bandwidth + 1)² blocks at most. c10::Error where
// LibTorch fails.
double LargestEigenvalueAtMost(const BlockBandedGram& gram, double shift);

}  // namespace lipschitz
