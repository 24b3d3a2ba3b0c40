#include "lipschitz/linalg/block_banded.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

// A: block rows of `block_size`, each of which reaches `bandwidth` + 1 block
// columns.
at::Tensor BandedFactor(int64_t blocks, int64_t block_size, int64_t bandwidth) {
  at::Tensor a = at::zeros(
      {blocks * block_size, (blocks + bandwidth) * block_size}, at::kDouble);
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t width = (bandwidth + 1) * block_size;
    a.narrow(0, i * block_size, block_size)
        .narrow(1, i * block_size, width)
        .copy_(at::randn({block_size, width}, at::kDouble));
  }
  return a;
}

BlockBandedGram GramOf(const at::Tensor& a, int64_t blocks, int64_t bandwidth) {
  BlockBandedGram gram;
  gram.blocks = blocks;
  gram.block_size = a.size(0) / blocks;
  gram.bandwidth = bandwidth;
  gram.terms = static_cast<double>(a.size(1));
  gram.trace = a.square().sum().item<double>() * (1 + 1e-12);
  const int64_t size = gram.block_size;
  gram.block = [a, size](int64_t i, int64_t j) {
    return at::mm(a.narrow(0, i * size, size), a.narrow(0, j * size, size).t());
  };
  return gram;
}

TEST(LargestEigenvalueAtMost, HoldsAboveTheEigenvalueAndFailsBelowIt) {
  for (const int64_t blocks : {1, 2, 3, 7, 12}) {
    for (const int64_t size : {1, 2, 5}) {
      for (int64_t bandwidth = 0; bandwidth < std::min<int64_t>(blocks, 5);
           ++bandwidth) {
        at::manual_seed(blocks + 10 * size + 100 * bandwidth);
        const at::Tensor a = BandedFactor(blocks, size, bandwidth);
        const BlockBandedGram gram = GramOf(a, blocks, bandwidth);
        const double largest =
            at::linalg_eigvalsh(at::mm(a, a.t())).max().item<double>();
        const std::string what = std::to_string(blocks) + " blocks of " +
                                 std::to_string(size) + ", bandwidth " +
                                 std::to_string(bandwidth);
        for (const double gap : {1e-10, 1e-6, 1e-2, 1.0, 30.0}) {
          const double bound =
              LargestEigenvalueAtMost(gram, largest * (1 + gap));
          EXPECT_GE(bound, largest) << what;
          EXPECT_LE(bound, largest * (1 + gap) * (1 + 1e-10)) << what;
        }
        for (const double gap : {1e-10, 1e-6, 1e-2, 0.5}) {
          EXPECT_EQ(LargestEigenvalueAtMost(gram, largest * (1 - gap)),
                    std::numeric_limits<double>::infinity())
              << what;
        }
      }
    }
  }
}

// The factorisation goes through for a shift that is below the eigenvalue by
// less than it rounds; the residual tells.
TEST(LargestEigenvalueAtMost, CoversItsOwnRounding) {
  at::manual_seed(1);
  int finished = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const at::Tensor a = BandedFactor(6, 4, 2);
    // Its largest eigenvalue is 1 but for the rounding of this division, and
    // known up to that of the reference.
    const double largest =
        at::linalg_eigvalsh(at::mm(a, a.t())).max().item<double>();
    const BlockBandedGram gram = GramOf(a, 6, 2);
    const double bound = LargestEigenvalueAtMost(
        gram, largest * (1 + (trial % 20 - 10) * 1e-16));
    if (!std::isfinite(bound)) continue;
    ++finished;
    EXPECT_GE(bound, largest * (1 + 1e-15));
  }
  EXPECT_GT(finished, 0);
}

TEST(LargestEigenvalueAtMost, CountsItsWork) {
  BlockBandedGram gram;
  gram.blocks = 10;
  gram.block_size = 6;
  // Per block, a factor of n³/3 and the product that checks it.
  EXPECT_DOUBLE_EQ(gram.Operations(), 10 * 216 * (2 + 1.0 / 3));
  gram.bandwidth = 1;
  EXPECT_DOUBLE_EQ(gram.Operations(), 10 * 216 * (6 + 1 + 1.0 / 3));
}

}  // namespace
}  // namespace lipschitz
