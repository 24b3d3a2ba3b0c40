// The exact W1 of all samples, beside what a trained critic proves about them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/transport/wasserstein_estimate.h"
#include "tools/estimate_wasserstein/inputs.h"

namespace lipschitz::tools {

struct ExactDistance {
  // W1 of the samples is in [value, value + gap], but for float64 rounding. On
  // the line (d = 1) the gap is 0.
  double value = 0.0;
  double gap = 0.0;
  // The critic's lower bound on it: the difference of its means over all
  // samples, those that it was trained on included, divided by K.
  double critic_bound = 0.0;
};

// Internal where `bound`, of what `whose` names, is above the exact value: a
// certificate is broken.
absl::Status ExpectBelow(const ExactDistance& exact, double bound,
                         const std::string& whose);

// Internal where the critic's bound is above the exact value.
// ResourceExhausted where the pairs of samples are too many.
absl::StatusOr<ExactDistance> SolveExactly(const SamplePair& samples,
                                           const WassersteinEstimate& estimate,
                                           Norm ground_norm);

}  // namespace lipschitz::tools
