#include "lipschitz/linalg/block_convolution.h"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/linalg/convolution.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::ConvolutionMatrix;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;

// Columns are orthonormal.
at::Tensor Basis(int64_t channels, int64_t rank) {
  return std::get<0>(
      at::linalg_qr(at::randn({channels, rank}, at::kDouble), "reduced"));
}

// The taps P and I − P along a dimension.
at::Tensor Taps(const at::Tensor& basis, int64_t dimension, bool reversed) {
  const at::Tensor p = basis.mm(basis.t());
  const at::Tensor rest = at::eye(p.size(0), at::kDouble) - p;
  return at::stack({reversed ? rest : p, reversed ? p : rest}, 2)
      .unsqueeze(dimension == 2 ? 3 : 2);
}

TEST(BlockConvolutionTest, IsTheKernelOfOneAfterTheOther) {
  at::manual_seed(0);
  for (const auto& [h1, w1, h2, w2, stride] :
       std::vector<std::tuple<int, int, int, int, int>>{{1, 1, 1, 1, 1},
                                                        {3, 3, 1, 1, 1},
                                                        {1, 1, 2, 3, 2},
                                                        {2, 2, 2, 2, 2},
                                                        {3, 1, 1, 4, 1},
                                                        {2, 4, 3, 2, 3}}) {
    const at::Tensor first = at::randn({3, 2, h1, w1}, at::kDouble);
    const at::Tensor second = at::randn({4, 3, h2, w2}, at::kDouble);
    const at::Tensor both = BlockConvolution(second, first);
    ASSERT_EQ(both.sizes(),
              (std::vector<int64_t>{4, 2, h1 + h2 - 1, w1 + w2 - 1}));
    const at::Tensor x = at::randn({2, 2, 9, 8}, at::kDouble);
    EXPECT_TRUE(TensorsNear(
        at::conv2d(x, both, {}, stride),
        at::conv2d(at::conv2d(x, first), second, {}, stride), 1e-12));
  }
}

TEST(BlockConvolutionTest, GradientsAgreeWithFiniteDifferences) {
  at::manual_seed(1);
  EXPECT_TRUE(GradientsAgree(
      [](const std::vector<at::Tensor>& leaves) {
        return BlockConvolution(leaves[0], leaves[1]);
      },
      {at::randn({2, 3, 2, 2}), at::randn({3, 1, 2, 3})}));
}

TEST(BlockConvolutionTest, ProjectorsAreAConvolutionOfSizeTwo) {
  at::manual_seed(2);
  for (const int64_t dimension : {2, 3}) {
    for (const bool reversed : {false, true}) {
      for (const int64_t rank : {0, 1, 2, 4}) {
        const at::Tensor kernel = at::randn({4, 3, 2, 3}, at::kDouble);
        const at::Tensor basis = Basis(4, rank);
        EXPECT_TRUE(TensorsNear(
            FollowByProjectors(kernel, basis, dimension, reversed),
            BlockConvolution(Taps(basis, dimension, reversed), kernel), 1e-12))
            << dimension << " " << reversed << " " << rank;
      }
    }
  }
}

TEST(BlockConvolutionTest, ProjectorsPreserveEverySingularValue) {
  at::manual_seed(3);
  ConvolutionGeometry g;
  g.in_channels = g.out_channels = 5;
  g.kernel_height = g.kernel_width = 3;
  g.padding_mode = PaddingMode::kCircular;
  g.input_height = 4;
  g.input_width = 5;
  at::Tensor kernel = at::eye(5, at::kDouble).reshape({5, 5, 1, 1});
  for (int i = 0; i < 4; ++i) {
    kernel = FollowByProjectors(kernel, Basis(5, 2), 2 + i % 2, i / 2 == 0);
  }
  EXPECT_TRUE(TensorsNear(SingularValues(ConvolutionMatrix(kernel, g)),
                          at::ones({100}, at::kDouble), 1e-12));
  // Which is not the identity in disguise.
  EXPECT_GT((kernel.abs() > 0.01).sum().item<int64_t>(), 100);
}

TEST(BlockConvolutionTest, ProjectorGradientsAgreeWithFiniteDifferences) {
  at::manual_seed(4);
  for (const bool reversed : {false, true}) {
    EXPECT_TRUE(GradientsAgree(
        [reversed](const std::vector<at::Tensor>& leaves) {
          return FollowByProjectors(leaves[0], leaves[1], 2 + reversed,
                                    reversed);
        },
        {at::randn({3, 2, 2, 1}), at::randn({3, 1})}));
  }
}

}  // namespace
}  // namespace lipschitz
