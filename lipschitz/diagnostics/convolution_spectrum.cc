#include "lipschitz/diagnostics/convolution_spectrum.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/jacobian_spectrum.h"

namespace lipschitz {
namespace {

// The largest numbers of entries first.
at::Tensor Largest(const at::Tensor& values, int64_t count) {
  return std::get<0>(
             at::sort(values.reshape({-1}), /*dim=*/0, /*descending=*/true))
      .narrow(0, 0, count)
      .contiguous();
}

// The blocks of a circular convolution from its responses to one pixel of each
// channel at each place modulo the stride.
at::Tensor CircularValues(const at::Tensor& kernel,
                          const ConvolutionGeometry& geometry) {
  const int64_t stride = geometry.stride;
  const int64_t phases = geometry.in_channels * stride * stride;
  at::Tensor pixels = at::zeros({phases, geometry.in_channels,
                                 geometry.input_height, geometry.input_width},
                                kernel.options());
  int64_t phase = 0;
  for (int64_t channel = 0; channel < geometry.in_channels; ++channel) {
    for (int64_t row = 0; row < stride; ++row) {
      for (int64_t column = 0; column < stride; ++column) {
        pixels[phase++][channel][row][column] = 1.0;
      }
    }
  }
  // (height · width of the output, phases, out_channels).
  const at::Tensor blocks =
      at::fft_fft2(Convolve(pixels, kernel, geometry)).permute({2, 3, 0, 1});
  return at::linalg_svdvals(
      blocks.reshape({-1, phases, geometry.out_channels}));
}

// (inputs, outputs): the map's transpose.
at::Tensor TransposedMatrix(const at::Tensor& kernel,
                            const ConvolutionGeometry& geometry,
                            int64_t inputs) {
  const at::Tensor pixels =
      at::eye(inputs, kernel.options())
          .reshape({inputs, geometry.in_channels, geometry.input_height,
                    geometry.input_width});
  return Convolve(pixels, kernel, geometry).reshape({inputs, -1});
}

}  // namespace

absl::StatusOr<ConvolutionSpectrum> ConvolutionSingularValues(
    const at::Tensor& kernel, const ConvolutionGeometry& geometry,
    int64_t max_entries) {
  LIPSCHITZ_RETURN_IF_ERROR(geometry.Validate());
  const std::vector<int64_t> shape = {
      geometry.out_channels, geometry.in_channels, geometry.kernel_height,
      geometry.kernel_width};
  if (!kernel.defined() || !kernel.is_floating_point() ||
      kernel.sizes() != at::IntArrayRef(shape)) {
    return absl::InvalidArgumentError(
        "convolution spectrum: the kernel's shape is not that of the geometry");
  }
  return CatchTorch(
      "convolution spectrum", [&]() -> absl::StatusOr<ConvolutionSpectrum> {
        const at::Tensor exact = kernel.detach().to(at::kCPU, at::kDouble);
        const int64_t inputs =
            geometry.in_channels * geometry.input_height * geometry.input_width;
        const int64_t outputs = geometry.out_channels *
                                geometry.OutputHeight() *
                                geometry.OutputWidth();
        const int64_t side = std::min(inputs, outputs);
        ConvolutionSpectrum spectrum;
        if (geometry.padding_mode == PaddingMode::kCircular) {
          const c10::NoGradGuard no_grad;
          spectrum.values = Largest(CircularValues(exact, geometry), side);
          return spectrum;
        }
        if (outputs <= max_entries / inputs) {
          const c10::NoGradGuard no_grad;
          spectrum.values =
              at::linalg_svdvals(TransposedMatrix(exact, geometry, inputs));
          return spectrum;
        }
        JacobianSpectrumOptions options;
        options.count = 1;
        options.max_passes = 0;
        LIPSCHITZ_ASSIGN_OR_RETURN(
            const JacobianSpectrum largest,
            JacobianSingularValues(
                [&](const at::Tensor& x) {
                  return Convolve(x, exact, geometry);
                },
                at::zeros({1, geometry.in_channels, geometry.input_height,
                           geometry.input_width},
                          at::TensorOptions(at::kDouble)),
                options));
        spectrum.values = largest.values[0];
        spectrum.complete = false;
        return spectrum;
      });
}

}  // namespace lipschitz
