// The flags of programs whose runs are classifiers (TrainClassifier). Linked
// into programs only.
#pragma once

#include "absl/status/statusor.h"
#include "experiments/common/classifier_training.h"

namespace lipschitz::experiments {

// --epochs, --batch_size, --learning_rate, --optimizer, --offset,
// --temperature, --shift and --held_out. InvalidArgument names the flag.
absl::StatusOr<RecipeChanges> RecipeChangesFromFlags();

}  // namespace lipschitz::experiments
