#include "tests/testing/convolution_matrix.h"

#include <ATen/ATen.h>

namespace lipschitz::testing {

at::Tensor ConvolutionMatrix(const at::Tensor& kernel,
                             const ConvolutionGeometry& geometry) {
  const ConvolutionGeometry& g = geometry;
  const bool circular = g.padding_mode == PaddingMode::kCircular;
  const int64_t top = circular ? (g.kernel_height - 1) / 2 : g.padding;
  const int64_t left = circular ? (g.kernel_width - 1) / 2 : g.padding;
  const int64_t height = g.OutputHeight();
  const int64_t width = g.OutputWidth();
  const at::Tensor values = kernel.to(at::kDouble).contiguous();
  const auto k = values.accessor<double, 4>();
  at::Tensor matrix =
      at::zeros({g.out_channels * height * width,
                 g.in_channels * g.input_height * g.input_width},
                at::kDouble);
  auto m = matrix.accessor<double, 2>();
  for (int64_t p = 0; p < height; ++p) {
    for (int64_t q = 0; q < width; ++q) {
      for (int64_t a = 0; a < g.kernel_height; ++a) {
        for (int64_t b = 0; b < g.kernel_width; ++b) {
          int64_t r = p * g.stride + a - top;
          int64_t s = q * g.stride + b - left;
          if (circular) {
            r = (r + g.input_height) % g.input_height;
            s = (s + g.input_width) % g.input_width;
          } else if (r < 0 || r >= g.input_height || s < 0 ||
                     s >= g.input_width) {
            continue;
          }
          for (int64_t o = 0; o < g.out_channels; ++o) {
            for (int64_t i = 0; i < g.in_channels; ++i) {
              m[(o * height + p) * width + q]
               [(i * g.input_height + r) * g.input_width + s] += k[o][i][a][b];
            }
          }
        }
      }
    }
  }
  return matrix;
}

}  // namespace lipschitz::testing
