#include "lipschitz/linalg/convolution.h"

#include <ATen/ATen.h>
#include <torch/autograd.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::ConvolutionMatrix;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::TensorsNear;

ConvolutionGeometry Geometry(int64_t in, int64_t out, int64_t kernel_height,
                             int64_t kernel_width, int64_t stride,
                             PaddingMode mode, int64_t padding, int64_t height,
                             int64_t width) {
  ConvolutionGeometry geometry;
  geometry.in_channels = in;
  geometry.out_channels = out;
  geometry.kernel_height = kernel_height;
  geometry.kernel_width = kernel_width;
  geometry.stride = stride;
  geometry.padding_mode = mode;
  geometry.padding = padding;
  geometry.input_height = height;
  geometry.input_width = width;
  return geometry;
}

// Every padding, odd and even kernels, strides that leave a rest.
std::vector<ConvolutionGeometry> Geometries() {
  std::vector<ConvolutionGeometry> geometries;
  for (const int64_t kernel : {1, 2, 3, 4, 5}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (const int64_t padding : {0, 1, 2}) {
        geometries.push_back(Geometry(2, 3, kernel, kernel, stride,
                                      PaddingMode::kZero, padding, 7, 6));
      }
      geometries.push_back(Geometry(3, 2, kernel, kernel, stride,
                                    PaddingMode::kCircular, 0, 6, 12));
    }
  }
  geometries.push_back(Geometry(2, 2, 2, 5, 2, PaddingMode::kZero, 1, 6, 8));
  geometries.push_back(
      Geometry(2, 2, 4, 1, 2, PaddingMode::kCircular, 0, 6, 8));
  return geometries;
}

std::string Describe(const ConvolutionGeometry& g) {
  return PaddingModeName(g.padding_mode) + std::to_string(g.padding) +
         " kernel " + std::to_string(g.kernel_height) + "x" +
         std::to_string(g.kernel_width) + " stride " + std::to_string(g.stride);
}

TEST(Convolve, IsTheMatrixOfTheDefinitionAndTheAdjointItsTranspose) {
  at::manual_seed(0);
  for (const ConvolutionGeometry& g : Geometries()) {
    SCOPED_TRACE(Describe(g));
    ASSERT_TRUE(g.Validate().ok()) << g.Validate();
    const at::Tensor kernel = at::randn(
        {g.out_channels, g.in_channels, g.kernel_height, g.kernel_width},
        at::kDouble);
    const at::Tensor matrix = ConvolutionMatrix(kernel, g);

    const at::Tensor x = at::randn(
        {2, g.in_channels, g.input_height, g.input_width}, at::kDouble);
    const at::Tensor y = Convolve(x, kernel, g);
    ASSERT_EQ(y.sizes(), at::IntArrayRef({2, g.out_channels, g.OutputHeight(),
                                          g.OutputWidth()}));
    EXPECT_TRUE(TensorsNear(y.flatten(1), x.flatten(1).mm(matrix.t()), 1e-12));

    const at::Tensor back = ConvolveTransposed(y, kernel, g);
    ASSERT_EQ(back.sizes(), x.sizes());
    EXPECT_TRUE(TensorsNear(back.flatten(1), y.flatten(1).mm(matrix), 1e-11));
  }
}

TEST(Convolve, HasTheGradientsOfFiniteDifferences) {
  at::manual_seed(1);
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    const ConvolutionGeometry g =
        Geometry(2, 2, 4, 3, 2, mode, mode == PaddingMode::kZero ? 1 : 0, 4, 6);
    const at::Tensor kernel = at::randn({2, 2, 4, 3}, at::kDouble);
    const at::Tensor x = at::randn({1, 2, 4, 6}, at::kDouble);
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return Convolve(in[0], in[1], g); },
        {x, kernel}));
    const at::Tensor y =
        at::randn({1, 2, g.OutputHeight(), g.OutputWidth()}, at::kDouble);
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return ConvolveTransposed(in[0], in[1], g); },
        {y, kernel}));
  }
}

// Images of one channel in float32 have a gradient of their own.
TEST(Convolve, HasTheGradientsOfFloat64InFloat32) {
  at::manual_seed(2);
  for (ConvolutionGeometry g : Geometries()) {
    SCOPED_TRACE(Describe(g));
    g.in_channels = 1;
    const at::Tensor kernel =
        at::randn({g.out_channels, 1, g.kernel_height, g.kernel_width});
    const at::Tensor x = at::randn({3, 1, g.input_height, g.input_width});
    // The gradients of a function of the values, and those of its gradient's
    // square, as a gradient penalty takes them.
    const auto gradients = [&](at::ScalarType type) {
      const at::Tensor image = x.to(type).detach().requires_grad_();
      const at::Tensor weight = kernel.to(type).detach().requires_grad_();
      const at::Tensor value = Convolve(image, weight, g).sin().sum();
      auto first = torch::autograd::grad({value}, {image, weight}, {},
                                         /*retain_graph=*/true,
                                         /*create_graph=*/true);
      const auto second =
          torch::autograd::grad({first[0].square().sum()}, {image, weight});
      first.insert(first.end(), second.begin(), second.end());
      return first;
    };
    const auto narrow = gradients(at::kFloat);
    const auto wide = gradients(at::kDouble);
    for (size_t i = 0; i < wide.size(); ++i) {
      EXPECT_TRUE(TensorsNear(narrow[i].detach().to(at::kDouble),
                              wide[i].detach(),
                              1e-4 * (1 + wide[i].abs().max().item<double>())))
          << i;
    }
    const at::Tensor plain = Convolve(x, kernel, g);
    EXPECT_TRUE(Convolve(x.clone().requires_grad_(), kernel, g).equal(plain));
  }
}

TEST(Convolve, RefusesAnotherShape) {
  const ConvolutionGeometry g =
      Geometry(2, 3, 3, 3, 1, PaddingMode::kZero, 0, 5, 5);
  const at::Tensor kernel = at::zeros({3, 2, 3, 3});
  EXPECT_THROW(Convolve(at::zeros({1, 2, 5, 6}), kernel, g), c10::Error);
  EXPECT_THROW(Convolve(at::zeros({2, 5, 5}), kernel, g), c10::Error);
  EXPECT_THROW(ConvolveTransposed(at::zeros({1, 3, 5, 5}), kernel, g),
               c10::Error);
}

TEST(PaddingMode, IsParsedByItsName) {
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    const auto parsed = ParsePaddingMode(PaddingModeName(mode));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, mode);
  }
  EXPECT_TRUE(lipschitz::testing::FailsWith(ParsePaddingMode("mirror"),
                                            absl::StatusCode::kInvalidArgument,
                                            {"mirror", "zero, circular"}));
}

TEST(ConvolutionGeometry, NamesTheNumbersThatDoNotFit) {
  const auto message = [](const ConvolutionGeometry& g) {
    return std::string(g.Validate().message());
  };
  const auto zero = PaddingMode::kZero;
  const auto circular = PaddingMode::kCircular;
  EXPECT_NE(message(Geometry(0, 3, 3, 3, 1, zero, 0, 5, 5)).find("0 and 3"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 3, 0, 1, zero, 0, 5, 5)).find("3×0 and 1"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 3, 3, 0, zero, 0, 5, 5)).find("3×3 and 0"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 3, 3, 1, zero, -1, 5, 5)).find("-1"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 5, 5, 1, zero, 1, 2, 9)).find("4×11"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 5, 5, 1, zero, 1, 0, 9)).find("0×9"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 3, 3, 1, circular, 1, 5, 5)).find("got 1"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 5, 5, 1, circular, 0, 4, 6)).find("4×6"),
            std::string::npos);
  EXPECT_NE(message(Geometry(1, 3, 3, 3, 2, circular, 0, 5, 6)).find("stride"),
            std::string::npos);
}

}  // namespace
}  // namespace lipschitz
