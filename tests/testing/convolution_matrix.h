// A convolution written out as a matrix, from its definition.
#pragma once

#include <ATen/core/Tensor.h>

#include "lipschitz/linalg/convolution.h"

namespace lipschitz::testing {

// (out_channels · output height · output width, in_channels · input_height ·
// input_width), float64: what the map does to images read row by row, channel
// by channel.
at::Tensor ConvolutionMatrix(const at::Tensor& kernel,
                             const ConvolutionGeometry& geometry);

}  // namespace lipschitz::testing
