// Björck orthonormalisation: the nearest matrix with orthonormal rows or
// columns, by a polynomial iteration.
//
// Source: Å. Björck and C. Bowie, "An iterative algorithm for computing the
// best estimate of an orthogonal matrix", SIAM J. Numer. Anal. 8 (1971),
// used for Lipschitz networks by Anil, Lucas and Grosse (ICML 2019).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

// What the matrix is divided by before the first iteration. The iteration
// converges to the polar factor when every singular value is then in (0, √3)
// for order 1, in (0, 1.52), (0, 1.58), (0, 1.49) for orders 2, 3, 4.
enum class BjorckScaling {
  // Nothing: the caller knows that ‖W‖₂ is in the range of the order.
  kNone,
  // √(rows · columns), as in the authors' code: safe while every |W_ij| ≤ 1,
  // but it starts singular values of wide layers near 1e-4.
  kSqrtSize,
  // An estimate of ‖W‖₂ by power iteration. It is below the true norm; a few
  // percent do no harm, because the iteration converges up to 1.49 at least.
  kPowerIteration,
  // min(‖W‖_F, √(‖W‖₁ ‖W‖_∞), ‖WWᵀ‖_F^{1/2}): at least ‖W‖₂, so that the
  // iteration always converges.
  kUpperBound,
};

// "none", "sqrt_size", "power_iteration", "upper_bound".
std::string BjorckScalingName(BjorckScaling scaling);
absl::StatusOr<BjorckScaling> ParseBjorckScaling(const std::string& name);

struct BjorckOptions {
  // 1 to 4: the number of terms of the binomial series of (1 − q)^{-1/2} that
  // an iteration takes.
  int order = 1;
  // Step size of order 1; the higher orders are defined for 0.5 only.
  double beta = 0.5;
  BjorckScaling scaling = BjorckScaling::kUpperBound;
  // Iterations to do, or at most to do when there is a tolerance.
  int iterations = 20;
  // Stop as soon as ‖WᵀW − I‖_F (smaller side) is not above it, after one
  // iteration at the earliest. 0: do exactly `iterations`.
  double tolerance = 0.0;
  // Steps of the power iteration of kPowerIteration.
  int power_iterations = 10;
  // Whether to compute residual and extreme singular values of the result
  // (float64 eigenvalues of the smaller Gram matrix; costs more than the
  // iteration for small matrices).
  bool report = true;

  absl::Status Validate() const;
};

struct BjorckResult {
  // Same shape, type and device as the argument; differentiable with respect
  // to it through every iteration (the scaling is a constant for gradients).
  at::Tensor weight;
  // What the argument was divided by.
  double scale = 1.0;
  // Iterations done.
  int iterations = 0;
  // Whether the residual met the tolerance; with no tolerance, always true.
  bool converged = true;
  // ‖WᵀW − I‖_F of the result on its smaller side, and its extreme singular
  // values. NaN unless `report`.
  double residual;
  double smallest_singular_value;
  double largest_singular_value;
};

// One iteration on `w`, unscaled and unchecked: a weight that is not finite, or
// too large, gives one that is not finite.
at::Tensor BjorckStep(const at::Tensor& w, int order = 1, double beta = 0.5);

// `w`: a floating point matrix (rows, columns), finite, not empty. With more
// rows than columns the columns become orthonormal, otherwise the rows. The
// Gram matrix is formed on the smaller side. A zero singular value stays zero.
// A matrix of zeros, a bad shape or type and a non-finite entry are
// InvalidArgument.
absl::StatusOr<BjorckResult> Bjorck(const at::Tensor& w,
                                    const BjorckOptions& options);

}  // namespace lipschitz
