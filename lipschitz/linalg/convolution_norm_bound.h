// Proven upper bounds on the operator norms of convolutions.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

// For every pair of norms, of the map that Convolve applies with this kernel
// and geometry, written out as a matrix: for small images. Unimplemented where
// the matrix would have more than 2²⁴ entries.
absl::StatusOr<BoundTable> ConvolutionNormBounds(
    const at::Tensor& kernel, const ConvolutionGeometry& geometry);

}  // namespace lipschitz
