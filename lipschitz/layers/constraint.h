// How a layer's weight is bounded: from the raw parameter to the weight that
// the layer applies.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/layers/weight_constraint.h"
#include "lipschitz/linalg/bjorck.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/stiefel.h"

namespace lipschitz {

enum class ConstraintKind {
  // The raw weight itself.
  kNone,
  // Orthonormal rows or columns by Björck iteration on the raw weight,
  // differentiated through its iterations (Anil et al. 2019).
  kBjorck,
  // The raw weight itself, kept orthonormal by a retraction after every
  // optimiser step: the cheapest of the three.
  kStiefel,
  // The limit of Björck's iteration, the polar factor, with its gradient in
  // closed form instead of through the iterations.
  kPolar,
  // W / ‖W‖₂, the norm estimated by power iteration during training (T. Miyato
  // et al., "Spectral Normalization for GANs", ICLR 2018); in evaluation
  // divided by the proven upper bound instead.
  kSpectral,
  // The raw weight, pulled towards orthonormality after every optimiser step:
  // W ← (1 + β) W − β W WᵀW (M. Cisse et al., "Parseval Networks", ICML 2017).
  kParseval,
  // Rows projected on the L1 ball: 1-Lipschitz from linf to linf (Anil et al.
  // 2019).
  kLinfProjection,
  // Rows divided by their L1 norm: the same bound, attained by every row.
  kLinfRows,
  // First layers of networks that are universal for 1-Lipschitz functions in a
  // p-norm: from that norm to linf, rows of unit dual norm at most.
  kL1ToLinf,  // every entry clamped to [−1, 1]
  kL2ToLinf,  // rows scaled down to length 1
};

// "none", "bjorck", "stiefel", "polar", "spectral", "parseval", "linf",
// "linf_rows", "l1_to_linf", "l2_to_linf".
std::string ConstraintName(ConstraintKind kind);
absl::StatusOr<ConstraintKind> ParseConstraint(const std::string& name);
std::vector<std::string> ConstraintNames();

struct ConstraintOptions {
  ConstraintKind kind = ConstraintKind::kBjorck;

  // For kBjorck. Until converged, 30 iterations at most.
  BjorckOptions bjorck = {/*order=*/1,
                          /*beta=*/0.5,
                          BjorckScaling::kUpperBound,
                          /*iterations=*/30,
                          /*tolerance=*/1e-4,
                          /*power_iterations=*/10,
                          /*report=*/false};
  // For kStiefel.
  RetractionOptions retraction;
  // For kStiefel: no retraction while the estimated ‖Gram − I‖₂ is below it; 0:
  // after every step. In evaluation it is gone either way.
  double max_drift = 1e-2;
  // For kStiefel: the optimiser gets the part of the gradient that is tangent
  // to the manifold. The other part, which the retraction undoes, would still
  // fill an optimiser's moments, and with Adam trains much worse.
  bool project_gradient = true;
  // For kPolar.
  PolarOptions polar;
  // For kSpectral: steps of the power iteration in every training forward.
  int power_iterations = 1;
  // For kBjorck (with a scaling that follows the weight), kPolar, kSpectral and
  // kLinfRows, whose constrained weight does not depend on the raw weight's
  // length: divide the raw weight by its norm after every step. The layer stays
  // the same, and so does the step size relative to the weight. Without it the
  // raw weight grows with every step (its gradient is orthogonal to it) and the
  // training slows down as if the learning rate decayed.
  bool rescale_raw = true;
  // For kParseval: β of the pull after every step.
  double parseval_beta = 0.5;

  absl::Status Validate() const;
};

// A constraint for a raw weight of the given shape.
absl::StatusOr<std::shared_ptr<WeightConstraint>> MakeWeightConstraint(
    const ConstraintOptions& options, int64_t rows, int64_t columns);

}  // namespace lipschitz
