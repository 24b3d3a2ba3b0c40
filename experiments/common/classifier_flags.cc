#include "experiments/common/classifier_flags.h"

#include <gflags/gflags.h>

#include "absl/status/status.h"
#include "lipschitz/base/status.h"
#include "lipschitz/optim/optimizer.h"

DEFINE_int64(epochs, 0, "Epochs; 0: the preset's.");
DEFINE_int64(batch_size, 0, "Images per step; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_string(optimizer, "",
              "adam, aggmo, muon or fast_muon; empty: the preset's.");
DEFINE_double(
    offset, 0.0,
    "What the label's logit is lowered by in the cross-entropy, where "
    "a model has it; 0: the preset's.");
DEFINE_double(temperature, 0.0,
              "What logits are multiplied by in the cross-entropy, where a "
              "model has it; 0: the preset's.");
DEFINE_int64(shift, 0,
             "Pixels that training images are moved by at most, at random; 0: "
             "the preset's.");
DEFINE_int64(held_out, 0,
             "Training images held out to compare settings on: the run then "
             "reports on them and leaves the test set alone. 0: none.");

namespace lipschitz::experiments {

absl::StatusOr<RecipeChanges> RecipeChangesFromFlags() {
  RecipeChanges changes;
  if (FLAGS_epochs != 0) changes.epochs = FLAGS_epochs;
  if (FLAGS_batch_size != 0) changes.batch_size = FLAGS_batch_size;
  if (FLAGS_learning_rate != 0.0) changes.learning_rate = FLAGS_learning_rate;
  if (!FLAGS_optimizer.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(changes.optimizer,
                               ParseOptimizer(FLAGS_optimizer));
  }
  if (FLAGS_offset != 0.0) changes.offset = FLAGS_offset;
  if (FLAGS_temperature != 0.0) changes.temperature = FLAGS_temperature;
  if (FLAGS_shift != 0) changes.shift = FLAGS_shift;
  if (FLAGS_held_out < 0) {
    return absl::InvalidArgumentError("--held_out must not be negative");
  }
  if (FLAGS_held_out != 0) changes.held_out = FLAGS_held_out;
  return changes;
}

}  // namespace lipschitz::experiments
