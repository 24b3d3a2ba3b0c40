// Proven upper bounds on operator norms of convolutions: of the whole map from
// images to images, whose norm depends on the padding, the stride and the size
// of the images, and which for a k × k kernel may be up to k times that of the
// kernel reshaped to a matrix.
//
// Every bound is float64 and not below the exact norm of the kernel as stored;
// the rounding errors of the computation are bounded and added, in the model of
// arithmetic of norm_bound.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

struct ConvolutionNormOptions {
  // How far the bound from l2 to l2 of a zero-padded convolution may lie above
  // an estimate of the norm before more is done about it, relatively. Circular
  // padding is exact up to rounding at no price.
  double relative_gap = 2e-4;
  // Floating point operations of one factorisation for zero padding at most:
  // beyond that the bound is that of a torus. Some seconds on one core.
  double max_operations = 5e10;
};

// ‖Convolve(x)‖_out ≤ bound · ‖x‖_in for every pair of norms, over images
// flattened to vectors.
//
// From l1 and to linf exact up to rounding: the largest column (what one input
// pixel reaches) and the largest row (what one output pixel sees inside the
// image). From l2 to l2:
// - kCircular: the largest norm over the frequencies of the discrete Fourier
//   transform, exact up to rounding (torus_norm.h).
// - kZero: the map is a compression of that on any torus, plain or twisted, on
//   which no application of the kernel that wraps around reaches the image
//   again, whose norm is therefore a bound. Where it is not within the gap of
//   an estimate from below, and max_operations allow, the Gram matrix,
//   block-banded by rows of pixels, is factorised (block_banded.h).
// From l2 to l1, linf to l2 and linf to l1 a finite bound that may be loose, as
// OperatorNormBounds.
//
// `kernel`: (out_channels, in_channels, kernel_height, kernel_width), float32
// or float64, finite. That, or a geometry that is not valid, is InvalidArgument
// with the numbers.
absl::StatusOr<BoundTable> ConvolutionNormBounds(
    const at::Tensor& kernel, const ConvolutionGeometry& geometry,
    const ConvolutionNormOptions& options = {});

}  // namespace lipschitz
