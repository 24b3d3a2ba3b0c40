// Vectorised loops of max-pooling over windows of 2×2 pixels.
#pragma once

#include <cstddef>

namespace lipschitz {

// The loops for one element type, compiled for every instruction set and chosen
// for this processor. Images are `planes` matrices (height, width), row-major
// and contiguous, windows (height / 2, width / 2), rounded down: a last odd row
// or column is in no window. Outputs may not overlap inputs.
//
// The place of a window is that of its largest pixel in x: of equal ones the
// first, row by row, and the last that is not a number where there is one.
template <typename T>
struct MaxPoolKernel {
  // out, a number for each window: what `image` has at its place. With x for
  // the image, the largest pixel.
  void (*gather)(const T* x, const T* image, size_t planes, size_t height,
                 size_t width, T* out);

  // out, an image: the window's number at its place, 0 elsewhere. The transpose
  // of `gather`.
  void (*scatter)(const T* x, const T* windows, size_t planes, size_t height,
                  size_t width, T* out);
};

// T is float or double.
template <typename T>
MaxPoolKernel<T> GetMaxPoolKernel();

}  // namespace lipschitz
