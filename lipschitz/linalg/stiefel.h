// The Stiefel manifold, the matrices with orthonormal rows (wide) or columns
// (tall): how a weight that an optimiser has moved off it gets back.
//
// Source: P.-A. Absil, R. Mahony and R. Sepulchre, "Optimization Algorithms on
// Matrix Manifolds" (2008), chapters 3 and 4; the Newton–Schulz iteration as
// retraction is the first-order Björck step of Anil et al. (ICML 2019).
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

struct RetractionOptions {
  // Newton–Schulz steps at most; each takes one Gram matrix on the smaller
  // side and one product with it.
  int max_steps = 2;
  // No further step once ‖Gram − I‖₂ of the result is expected below it: one
  // step turns a defect δ into 3/4 δ² + 1/4 δ³. Whatever it leaves is below
  // one (x (3 − x²) / 2 ≤ 1 for x ≥ 0), so that a loose tolerance costs
  // gradient norm for a moment and never the Lipschitz constant.
  double tolerance = 0.1;

  absl::Status Validate() const;
};

struct RetractionResult {
  // Same shape, type and device as the argument, without a graph.
  at::Tensor weight;
  // ‖Gram − I‖₂ before the first step: an estimate from below by power
  // iteration, or the Frobenius norm where that is small enough not to matter.
  double defect = 0.0;
  // Newton–Schulz steps done.
  int steps = 0;
  // Whether the argument was so far away that the polar factor was computed
  // from scratch.
  bool restarted = false;
};

// A matrix near the closest one with orthonormal rows or columns, for `w`
// (rows, columns) that one optimiser step has moved away. A step that was too
// large for Newton–Schulz (a defect near 1) gets the polar factor from scratch.
// InvalidArgument where an entry of `w` is not finite.
absl::StatusOr<RetractionResult> Retract(const at::Tensor& w,
                                         const RetractionOptions& options = {});

// ‖Gram − I‖₂ from below, by two steps of power iteration from `v` (unit
// length, as long as the smaller side of `w`) and a fixed vector; `v` becomes
// the direction found, the next one's start. Four products with a vector, so
// that a drift can be watched at every step of an optimiser. Not finite where
// an entry of `w` is not.
double EstimateDefect(const at::Tensor& w, at::Tensor v);

// The closest matrix with orthonormal rows or columns, computed in float64 and
// rounded to the type of `w`. A `w` whose defect ‖Gram − I‖_F in float64 is
// within rounding of its type comes back as it is, bit for bit.
absl::StatusOr<at::Tensor> Polish(const at::Tensor& w);

// The part of `gradient` (same shape as `w`) in the tangent space of the
// manifold at `w`: G − W sym(WᵀG) for a tall matrix, G − sym(GWᵀ) W for a wide
// one. Differentiable.
at::Tensor ProjectOntoTangentSpace(const at::Tensor& gradient,
                                   const at::Tensor& w);

}  // namespace lipschitz
