#include "lipschitz/diagnostics/convolution_spectrum.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::ConvolutionMatrix;
using testing::SingularValues;
using testing::TensorsNear;

ConvolutionGeometry Geometry(int64_t in, int64_t out, int64_t kernel,
                             int64_t stride, PaddingMode mode, int64_t padding,
                             int64_t height, int64_t width) {
  ConvolutionGeometry geometry;
  geometry.in_channels = in;
  geometry.out_channels = out;
  geometry.kernel_height = kernel;
  geometry.kernel_width = kernel;
  geometry.stride = stride;
  geometry.padding_mode = mode;
  geometry.padding = padding;
  geometry.input_height = height;
  geometry.input_width = width;
  return geometry;
}

at::Tensor Kernel(const ConvolutionGeometry& geometry) {
  return at::randn({geometry.out_channels, geometry.in_channels,
                    geometry.kernel_height, geometry.kernel_width},
                   at::kDouble);
}

const std::vector<ConvolutionGeometry>& Geometries() {
  constexpr PaddingMode kZero = PaddingMode::kZero;
  constexpr PaddingMode kCircular = PaddingMode::kCircular;
  static const auto& geometries = *new std::vector<ConvolutionGeometry>{
      Geometry(2, 3, 3, 1, kCircular, 0, 5, 4),
      Geometry(3, 2, 3, 1, kCircular, 0, 4, 6),
      Geometry(2, 3, 2, 2, kCircular, 0, 6, 4),
      Geometry(1, 6, 4, 2, kCircular, 0, 4, 8),
      Geometry(2, 2, 3, 3, kCircular, 0, 6, 3),
      Geometry(2, 3, 3, 1, kZero, 1, 5, 4),
      Geometry(3, 1, 3, 2, kZero, 0, 6, 5),
      Geometry(2, 5, 4, 2, kZero, 1, 6, 6)};
  return geometries;
}

TEST(ConvolutionSpectrumTest, IsThatOfTheMatrix) {
  torch::manual_seed(1);
  for (const ConvolutionGeometry& geometry : Geometries()) {
    const at::Tensor kernel = Kernel(geometry);
    const auto spectrum = ConvolutionSingularValues(kernel, geometry);
    ASSERT_TRUE(spectrum.ok()) << spectrum.status();
    EXPECT_TRUE(spectrum->complete);
    EXPECT_TRUE(TensorsNear(spectrum->values,
                            SingularValues(ConvolutionMatrix(kernel, geometry)),
                            1e-12));
  }
}

TEST(ConvolutionSpectrumTest, OfALargeOneIsTheLargest) {
  torch::manual_seed(2);
  const ConvolutionGeometry geometry =
      Geometry(3, 4, 3, 1, PaddingMode::kZero, 1, 9, 8);
  const at::Tensor kernel = Kernel(geometry);
  const auto spectrum =
      ConvolutionSingularValues(kernel, geometry, /*max_entries=*/1000);
  ASSERT_TRUE(spectrum.ok()) << spectrum.status();
  EXPECT_FALSE(spectrum->complete);
  ASSERT_EQ(spectrum->values.numel(), 1);
  const double truth =
      SingularValues(ConvolutionMatrix(kernel, geometry)).max().item<double>();
  EXPECT_LE(spectrum->values[0].item<double>(), truth * (1 + 1e-13));
  EXPECT_GE(spectrum->values[0].item<double>(), truth * (1 - 1e-6));
}

TEST(ConvolutionSpectrumTest, SaysWhatIsWrong) {
  ConvolutionGeometry geometry = Geometries().front();
  EXPECT_TRUE(testing::FailsWith(
      ConvolutionSingularValues(at::zeros({3, 2, 3, 2}), geometry),
      absl::StatusCode::kInvalidArgument, {"shape"}));
  geometry.stride = 0;
  EXPECT_FALSE(ConvolutionSingularValues(Kernel(geometry), geometry).ok());
}

}  // namespace
}  // namespace lipschitz
