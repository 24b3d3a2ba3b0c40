#include "lipschitz/linalg/zero_padded_gram.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/linalg/convolution.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::ConvolutionMatrix;
using lipschitz::testing::TensorsNear;

at::Tensor Assemble(const BlockBandedGram& gram) {
  const int64_t size = gram.block_size;
  at::Tensor full =
      at::zeros({gram.blocks * size, gram.blocks * size}, at::kDouble);
  for (int64_t i = 0; i < gram.blocks; ++i) {
    for (int64_t j = std::max<int64_t>(0, i - gram.bandwidth); j <= i; ++j) {
      const at::Tensor block = gram.block(i, j);
      full.narrow(0, i * size, size).narrow(1, j * size, size).copy_(block);
      full.narrow(0, j * size, size).narrow(1, i * size, size).copy_(block.t());
    }
  }
  return full;
}

ConvolutionGeometry ZeroPadded(int64_t in, int64_t out, int64_t kernel_height,
                               int64_t kernel_width, int64_t stride,
                               int64_t padding, int64_t height, int64_t width) {
  return {in,           out,    kernel_height,
          kernel_width, stride, PaddingMode::kZero,
          padding,      height, width};
}

TEST(ZeroPaddedGram, HasTheEigenvaluesOfTheMatrix) {
  at::manual_seed(1);
  int sides[2] = {0, 0};
  for (const ConvolutionGeometry& g :
       std::vector<ConvolutionGeometry>{ZeroPadded(1, 3, 3, 3, 1, 0, 6, 6),
                                        ZeroPadded(3, 1, 3, 3, 1, 1, 6, 6),
                                        ZeroPadded(2, 2, 3, 3, 1, 1, 4, 7),
                                        ZeroPadded(2, 2, 3, 2, 1, 1, 7, 4),
                                        ZeroPadded(2, 3, 4, 4, 2, 1, 8, 8),
                                        ZeroPadded(3, 2, 5, 3, 2, 2, 7, 5),
                                        ZeroPadded(2, 1, 2, 2, 3, 0, 8, 8),
                                        ZeroPadded(1, 2, 5, 5, 1, 2, 1, 1),
                                        ZeroPadded(1, 2, 5, 5, 1, 2, 1, 9),
                                        ZeroPadded(2, 2, 1, 1, 1, 1, 3, 3),
                                        ZeroPadded(2, 2, 1, 1, 3, 2, 2, 3)}) {
    const at::Tensor kernel = at::randn(
        {g.out_channels, g.in_channels, g.kernel_height, g.kernel_width},
        at::kDouble);
    const BlockBandedGram gram = ZeroPaddedGram(kernel, g);
    const at::Tensor matrix = ConvolutionMatrix(kernel, g);
    const int64_t size = gram.blocks * gram.block_size;
    const bool output = size == matrix.size(0);
    EXPECT_TRUE(output || size == matrix.size(1));
    ++sides[output ? 0 : 1];
    const at::Tensor expected = at::linalg_eigvalsh(
        output ? at::mm(matrix, matrix.t()) : at::mm(matrix.t(), matrix));
    const at::Tensor full = Assemble(gram);
    EXPECT_TRUE(TensorsNear(at::linalg_eigvalsh(full), expected, 1e-10));
    EXPECT_LE(full.diagonal().sum().item<double>(), gram.trace);
  }
  EXPECT_GT(sides[0], 0);
  EXPECT_GT(sides[1], 0);
}

TEST(ZeroPaddedGram, TakesTheSideThatIsLessWork) {
  // One channel in, many out: blocks of input pixels.
  const ConvolutionGeometry wide = ZeroPadded(1, 10, 5, 5, 1, 0, 28, 28);
  EXPECT_EQ(
      ZeroPaddedGram(at::ones({10, 1, 5, 5}, at::kDouble), wide).block_size,
      28);
  // A low image: its columns are the shorter blocks.
  const ConvolutionGeometry low = ZeroPadded(1, 1, 3, 3, 1, 1, 4, 40);
  EXPECT_EQ(ZeroPaddedGram(at::ones({1, 1, 3, 3}, at::kDouble), low).block_size,
            4);
}

}  // namespace
}  // namespace lipschitz
