// Orthonormal rows or columns at nearly the price of an unconstrained weight.
#pragma once

#include <memory>

#include "lipschitz/layers/weight_constraint.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/stiefel.h"

namespace lipschitz {

// The raw weight itself is orthonormal: after every optimiser step it is
// retracted to the Stiefel manifold, and between the retractions it drifts by
// no more than their tolerance. In evaluation, and for good after the training,
// it is polished in float64. With `project_gradient` the gradient that reaches
// the optimiser is the tangential part.
std::shared_ptr<WeightConstraint> MakeStiefelConstraint(
    const RetractionOptions& retraction, bool project_gradient);

// The polar factor of the raw weight, with its gradient in closed form. With
// `rescale_raw` the raw weight is divided by its norm after every step.
std::shared_ptr<WeightConstraint> MakePolarConstraint(
    const PolarOptions& options, bool rescale_raw);

}  // namespace lipschitz
