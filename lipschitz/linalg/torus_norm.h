// Convolutions on a torus: the discrete Fourier transform makes them block
// diagonal, one matrix of output by input channels per frequency, and the
// operator norm is the largest of the matrices' (H. Sedghi, V. Gupta, P. Long,
// "The Singular Values of Convolutional Layers", ICLR 2019).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz {

// x(r + height, c) = ±x(r, c) and x(r, c + width) = ±x(r, c): a torus, or one
// with a twist, where a field that has gone around comes back negated.
struct Torus {
  int64_t height = 1;
  int64_t width = 1;
  bool twisted_rows = false;
  bool twisted_columns = false;
};

// A stride-s convolution as one of stride 1 on images of 1/s of the size with
// s² times the channels: kernel (out, in, h, w) → (out, in · s², ⌈h/s⌉, ⌈w/s⌉).
// The images' entries are permuted (space to depth), hence no norm changes.
at::Tensor PolyphaseKernel(const at::Tensor& kernel, int64_t stride);

// y[o, p, q] = Σ kernel[o, i, a, b] x[i, p + a, q + b] on a torus. `kernel`:
// (out, in, h, w) float64, entries of magnitude 1 at most; it may be larger
// than the torus. c10::Error where LibTorch fails.
class TorusConvolution {
 public:
  TorusConvolution(const at::Tensor& kernel, const Torus& torus);

  // ‖·‖₂ up to rounding errors that are not bounded: where to look.
  double NormEstimate();

  // A number that is not below ‖·‖₂, and above it by about the relative gap:
  // for λ a little above the estimate, λ² I − K Kᴴ = L Lᴴ + R at every
  // frequency, with L by Cholesky's factorisation, whose errors are all in R;
  // then ‖K‖² ≤ λ² + ‖R‖. Only products of real matrices are relied upon.
  double NormUpperBound(double relative_gap);

 private:
  // K Kᴴ of the frequencies [begin, end).
  struct Gram {
    at::Tensor real;
    at::Tensor imaginary;
  };
  Gram GramOf(int64_t begin, int64_t end) const;

  int64_t rows_ = 0;
  int64_t columns_ = 0;
  int64_t frequencies_ = 0;
  // Frequencies at a time, so that what is held besides is bounded.
  int64_t chunk_ = 1;
  // K, (frequencies, rows, columns) each; rows ≤ columns.
  at::Tensor real_;
  at::Tensor imaginary_;
  // Of K as computed: ‖error‖₂ is at most this at every frequency.
  double symbol_error_ = 0.0;
  double estimate_ = -1.0;
};

}  // namespace lipschitz
