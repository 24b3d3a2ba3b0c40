// Two-dimensional convolutions as linear maps between images.
//
// A kernel (out_channels, in_channels, height, width) acts as in LibTorch, as a
// cross-correlation:
//   y[o, p, q] = Σ_{i, a, b} kernel[o, i, a, b] x̃[i, stride p + a, stride q +
//   b]
// with x̃ the padded image. A Lipschitz constant is that of the whole map, which
// depends on the padding, the stride and the size of the images.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

enum class PaddingMode {
  // `padding` zeros on every side.
  kZero,
  // The image continues around its edges: (kernel − 1) / 2, rounded down, rows
  // (columns) before it and the rest after it, so that a stride of 1 keeps the
  // size.
  kCircular,
};

// "zero", "circular".
std::string PaddingModeName(PaddingMode mode);
absl::StatusOr<PaddingMode> ParsePaddingMode(const std::string& name);

struct ConvolutionGeometry {
  int64_t in_channels = 0;
  int64_t out_channels = 0;
  int64_t kernel_height = 0;
  int64_t kernel_width = 0;
  // In both directions.
  int64_t stride = 1;
  PaddingMode padding_mode = PaddingMode::kZero;
  // For kZero; 0 for kCircular.
  int64_t padding = 0;
  // Of the images that come in.
  int64_t input_height = 0;
  int64_t input_width = 0;

  // Names the numbers that do not fit: sizes below 1, a negative padding, a
  // padded image that is smaller than the kernel; for kCircular an image that
  // is smaller than the kernel or that the stride does not divide.
  absl::Status Validate() const;

  int64_t OutputHeight() const;
  int64_t OutputWidth() const;
};

// The map itself. `x`: (batch, in_channels, input_height, input_width) →
// (batch, out_channels, output height, output width). Differentiable in both
// arguments. A c10::Error for another shape.
at::Tensor Convolve(const at::Tensor& x, const at::Tensor& kernel,
                    const ConvolutionGeometry& geometry);

// Its adjoint: ⟨Convolve(x), y⟩ = ⟨x, ConvolveTransposed(y)⟩. `y`: (batch,
// out_channels, output height, output width) → (batch, in_channels,
// input_height, input_width). Differentiable in both arguments.
at::Tensor ConvolveTransposed(const at::Tensor& y, const at::Tensor& kernel,
                              const ConvolutionGeometry& geometry);

}  // namespace lipschitz
