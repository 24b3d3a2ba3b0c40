// The polar factor, the closest matrix with orthonormal rows or columns, with
// the gradient in closed form.
//
// It is the limit of Björck's iteration, and the value and gradient agree with
// differentiating that iteration when it has converged. What differs is the
// price: fewer products forwards, and backwards none per iteration.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

struct PolarOptions {
  // ‖Gram − I‖_F of the result, relative to √side, is at most about this; 0:
  // 1e-6 for float32, 1e-14 for float64.
  double tolerance = 0.0;
  // An iteration multiplies a small singular value by 1.9 at least and by up to
  // 4, so that a condition number of 1e4 takes about 10.
  int max_iterations = 40;

  absl::Status Validate() const;
};

struct PolarResult {
  // Same shape, type and device as the argument; differentiable once.
  at::Tensor weight;
  // An estimate of ‖W‖₂ by power iteration, within 15 percent; for rescaling.
  double norm = 0.0;
  // Polynomial iterations done; 0 where singular vectors took their place.
  int iterations = 0;
};

// The polar factor of `w` (rows, columns): U with W = U H for a tall matrix
// (H = (WᵀW)^{1/2}), W = H U for a wide one.
//
// Forwards: odd polynomials of degree 5 in W, the best ones in the maximum norm
// for an interval that contains the singular values, found anew in every
// iteration (N. Amsel et al., "The Polar Express", 2025), until the fixed one
// of Björck's order 2 takes over. Backwards: with G the gradient for U,
//   U Y + (I − UUᵀ) G H⁻¹,   H Y + Y H = UᵀG − GᵀU
// (tall; the transposed problem for a wide one), the Sylvester equation solved
// by conjugate gradients on skew-symmetric matrices, one product per iteration,
// or through the eigenvalues of H where those are far apart. For a float32
// matrix that asks for a gradient and has such a spectrum, the singular
// values and vectors are computed forwards and give U as well.
//
// InvalidArgument for a bad shape or type, an entry that is not finite, and a
// matrix that is rank deficient: a zero singular value stays zero. (One at the
// rounding of the type becomes 1 too, in a direction that means nothing.)
// Differentiating the gradient with respect to `w` is an error (c10::Error)
// that says so.
absl::StatusOr<PolarResult> PolarFactor(const at::Tensor& w,
                                        const PolarOptions& options = {});

// ∂L/∂W from W, its polar factor U and G = ∂L/∂U, all (rows, columns), without
// a graph: the backward pass of PolarFactor.
at::Tensor PolarFactorGradient(const at::Tensor& w, const at::Tensor& u,
                               const at::Tensor& gradient);

}  // namespace lipschitz
