// Orthonormal rows or columns at nearly the price of an unconstrained weight.
#pragma once

#include <cstdint>
#include <memory>

#include "lipschitz/layers/weight_constraint.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/stiefel.h"

namespace lipschitz {

// See ConstraintOptions.
struct StiefelOptions {
  RetractionOptions retraction;
  double max_drift;
  bool project_gradient;
};

// The raw weight itself is orthonormal, within `max_drift` while it is trained:
// whenever the estimated drift is larger after an optimiser step, it is
// retracted to the Stiefel manifold. In evaluation, and for good after the
// training, it is polished in float64. `side` is the smaller side of the
// weight.
std::shared_ptr<WeightConstraint> MakeStiefelConstraint(
    const StiefelOptions& options, int64_t side);

// The polar factor of the raw weight, with its gradient in closed form. With
// `rescale_raw` the raw weight is divided by its norm after every step.
std::shared_ptr<WeightConstraint> MakePolarConstraint(
    const PolarOptions& options, bool rescale_raw);

}  // namespace lipschitz
