// What must hold of a run's numbers if what was proven of its network holds.
#pragma once

#include "absl/status/status.h"

namespace lipschitz::experiments {

// FailedPrecondition, "certificate broken: ...", where they do not hold or are
// no numbers. Every one allows for rounding.

// `bound`: the proven constant of a network whose layers have constants of 1.
absl::Status ExpectUnitConstant(double bound);

// `slope`: one that was found of a function of the proven constant `bound`.
absl::Status ExpectSlopeWithin(double slope, double bound);

// `estimate`: the mean difference of a critic's values over its proven constant
// `bound`, on samples or distributions whose exact distance is `exact`.
absl::Status ExpectEstimateWithin(double estimate, double bound, double exact);

}  // namespace lipschitz::experiments
