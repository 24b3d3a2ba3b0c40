// The singular values of a convolution as a linear map between images.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

struct ConvolutionSpectrum {
  // float64, descending: as many as the smaller of the numbers of entries of
  // input and output.
  at::Tensor values;
  // Else only the largest is there.
  bool complete = true;
};

// Of Convolve with this kernel (float32 or float64), exact up to rounding.
//
// A circular convolution commutes with shifts by its stride s, so the discrete
// Fourier transform over those shifts makes it a block for each of the (h/s) ·
// (w/s) frequencies, out_channels × in_channels · s² (H. Sedghi, V. Gupta, P.
// M. Long, "The Singular Values of Convolutional Layers", ICLR 2019, for s =
// 1). With zeros around the image the map is written out as a matrix where it
// has no more than `max_entries`; else only its largest singular value is
// found, by a subspace iteration, and not above the truth but for rounding.
//
// InvalidArgument for a geometry that is none, and a kernel of another shape.
absl::StatusOr<ConvolutionSpectrum> ConvolutionSingularValues(
    const at::Tensor& kernel, const ConvolutionGeometry& geometry,
    int64_t max_entries = int64_t{1} << 23);

}  // namespace lipschitz
