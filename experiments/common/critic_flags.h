// The flags of programs whose runs are critics (CriticExperiment). Linked into
// programs only.
#pragma once

#include "absl/status/statusor.h"
#include "experiments/common/critic_experiment.h"

namespace lipschitz::experiments {

// --activation, --constraint, --hidden, --steps, --batch_size, --learning_rate
// and --optimizer. InvalidArgument names the flag.
absl::StatusOr<CriticSettings> CriticSettingsFromFlags();

}  // namespace lipschitz::experiments
