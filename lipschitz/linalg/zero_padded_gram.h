// The Gram matrix of a zero-padded convolution in blocks of rows of pixels.
#pragma once

#include <ATen/core/Tensor.h>

#include "lipschitz/linalg/block_banded.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

// A Aᵀ or AᵀA of the map's matrix A, whichever LargestEigenvalueAtMost makes
// less work of; a row (or a column, where that is less work) of pixels with all
// channels is a block. Pixels whose rows of the kernel do not overlap have a
// zero block, which makes it banded. `kernel`: float64, of the shape of the
// geometry, whose padding is zeros. Holds no block until one is asked for.
BlockBandedGram ZeroPaddedGram(const at::Tensor& kernel,
                               const ConvolutionGeometry& geometry);

}  // namespace lipschitz
