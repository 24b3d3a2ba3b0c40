#include "lipschitz/linalg/torus_norm.h"

#include <ATen/ATen.h>

#include <cmath>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::SingularValues;

// The map written out, with the kernel's entries that go around the torus
// negated where it is twisted.
at::Tensor TorusMatrix(const at::Tensor& kernel, const Torus& torus) {
  const int64_t out = kernel.size(0);
  const int64_t in = kernel.size(1);
  const int64_t height = torus.height;
  const int64_t width = torus.width;
  at::Tensor matrix =
      at::zeros({out, height, width, in, height, width}, at::kDouble);
  for (int64_t p = 0; p < height; ++p) {
    for (int64_t q = 0; q < width; ++q) {
      for (int64_t a = 0; a < kernel.size(2); ++a) {
        for (int64_t b = 0; b < kernel.size(3); ++b) {
          const int64_t turns = (torus.twisted_rows ? (p + a) / height : 0) +
                                (torus.twisted_columns ? (q + b) / width : 0);
          const double sign = turns % 2 == 0 ? 1.0 : -1.0;
          matrix.select(1, p)
              .select(1, q)
              .select(2, (p + a) % height)
              .select(2, (q + b) % width)
              .add_(kernel.select(2, a).select(2, b), sign);
        }
      }
    }
  }
  return matrix.reshape({out * height * width, in * height * width});
}

TEST(TorusConvolution, BoundsTheNormOfTheWholeMap) {
  std::mt19937 generator(1);
  at::manual_seed(1);
  const auto draw = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator);
  };
  for (int trial = 0; trial < 150; ++trial) {
    const at::Tensor raw = at::randn(
        {draw(1, 4), draw(1, 4), draw(1, 5), draw(1, 5)}, at::kDouble);
    const at::Tensor kernel = raw / raw.abs().max();
    const Torus torus = {draw(1, 6), draw(1, 6), draw(0, 1) == 1,
                         draw(0, 1) == 1};
    const double norm =
        SingularValues(TorusMatrix(kernel, torus))[0].item<double>();
    TorusConvolution convolution(kernel, torus);
    const std::string what = "trial " + std::to_string(trial) + ": " +
                             std::to_string(torus.height) + "×" +
                             std::to_string(torus.width);
    EXPECT_NEAR(convolution.NormEstimate(), norm, 1e-12 * norm + 1e-14) << what;
    for (const double gap : {0.0, 1e-10, 1e-3}) {
      const double bound = convolution.NormUpperBound(gap);
      EXPECT_GE(bound, norm * (1 - 2e-15)) << what;
      EXPECT_LE(bound, norm * (1 + gap + 1e-11) + 1e-13) << what;
    }
  }
}

TEST(TorusConvolution, OfNormsThatAreKnownExactly) {
  for (const int64_t size : {1, 2, 3, 8, 29}) {
    // A single entry moves the image: the norm is its magnitude.
    at::Tensor shift = at::zeros({1, 1, 3, 3}, at::kDouble);
    shift[0][0][2][0] = -0.75;
    // Sums of neighbours are largest on constant images.
    const at::Tensor sum = at::ones({1, 1, 2, 2}, at::kDouble);
    for (const bool twist : {false, true}) {
      const Torus torus = {size, size, twist, twist};
      const double bound = TorusConvolution(shift, torus).NormUpperBound(1e-10);
      EXPECT_GE(bound, 0.75);
      EXPECT_LE(bound, 0.75 * (1 + 2e-10));
      const double pi = std::acos(-1.0);
      // |1 + e^{iπ/size}|², the nearest frequency to zero on a twisted torus.
      const double norm =
          twist ? std::pow(2 * std::cos(pi / (2.0 * size)), 2) : 4.0;
      const double sums = TorusConvolution(sum, torus).NormUpperBound(1e-10);
      EXPECT_GE(sums, norm * (1 - (twist ? 1e-15 : 0.0))) << size;
      EXPECT_LE(sums, norm * (1 + 2e-10) + 1e-12) << size;
    }
  }
}

TEST(TorusConvolution, OfAnOrthogonalMapIsOne) {
  at::manual_seed(2);
  for (const int64_t channels : {1, 3, 16}) {
    const auto svd =
        at::linalg_svd(at::randn({channels, channels}, at::kDouble));
    at::Tensor kernel = at::zeros({channels, channels, 3, 3}, at::kDouble);
    kernel.select(2, 1).select(2, 1).copy_(std::get<0>(svd));
    const double bound = TorusConvolution(kernel, {7, 5}).NormUpperBound(1e-10);
    EXPECT_GE(bound, 1.0 - 1e-15);
    EXPECT_LE(bound, 1.0 + 1e-9);
  }
}

TEST(TorusConvolution, OfAZeroKernelIsNearlyZero) {
  EXPECT_LE(TorusConvolution(at::zeros({2, 3, 3, 3}, at::kDouble), {4, 4})
                .NormUpperBound(1e-10),
            1e-100);
}

TEST(PolyphaseKernel, IsTheStridedMapOnImagesReadAtItsStride) {
  at::manual_seed(3);
  for (const int64_t stride : {1, 2, 3}) {
    for (const int64_t size : {1, 2, 3, 4, 5}) {
      const at::Tensor kernel = at::randn({2, 3, size, size + 1}, at::kDouble);
      const at::Tensor x =
          at::randn({1, 3, 6 * stride, 6 * stride}, at::kDouble);
      const at::Tensor expected = at::conv2d(x, kernel, {}, stride);
      const at::Tensor y = at::conv2d(at::pixel_unshuffle(x, stride),
                                      PolyphaseKernel(kernel, stride));
      // The padded kernel may fit less often.
      const at::Tensor common =
          expected.narrow(2, 0, y.size(2)).narrow(3, 0, y.size(3));
      EXPECT_TRUE(lipschitz::testing::TensorsNear(y, common, 1e-12));
    }
  }
}

}  // namespace
}  // namespace lipschitz
