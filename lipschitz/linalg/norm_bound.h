// Proven upper bounds on operator norms of matrices.
//
// Every function here returns a number that is not below the exact norm of the
// matrix as stored: the arithmetic is float64, and the rounding errors of the
// computation itself are bounded and added. The model of arithmetic is IEEE 754
// with round to nearest; products of matrices may sum in any order (N. J.
// Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition,
// chapter 3), which excludes Strassen-like products. No BLAS that
// LibTorch is built with uses those.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

struct SpectralNormOptions {
  // Stop when another squaring would lower the bound by less than this,
  // relatively.
  double relative_gap = 1e-9;
  // Squarings of the Gram matrix at most.
  int max_squarings = 40;
};

// ‖W‖₂ from above, by Gram iteration (B. Delattre, Q. Barthélemy, A. Araujo, A.
// Allauzen, "Efficient Bound of Lipschitz Constant for Convolutional Layers by
// Gram Iteration", ICML 2023) on the smaller Gram matrix, and for
// a nearly orthonormal W on its difference from a multiple of the identity,
// which is tight sooner. `w`: float32 or float64 (rows, columns),
// finite; a violation is InvalidArgument.
absl::StatusOr<double> SpectralNormUpperBound(
    const at::Tensor& w, const SpectralNormOptions& options = {});

// Upper bounds on max ‖Wx‖_out / ‖x‖_in for every pair of norms: exact up to
// rounding from l1 (largest column), to linf (largest row, dual norm) and from
// l2 to l2; for the three other pairs a finite bound that may be loose. Without
// squarings, l2 to l2 is a bound for one product of matrices, which is near
// where no entry is negative.
absl::StatusOr<BoundTable> OperatorNormBounds(
    const at::Tensor& w, const SpectralNormOptions& options = {});

}  // namespace lipschitz
