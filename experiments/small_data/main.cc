// bazel run //experiments/small_data -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "absl/status/status.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/small_data/small_data.h"

DEFINE_string(images, "",
              "Numbers of training images, separated by commas; empty: the "
              "preset's.");
DEFINE_string(model, "all",
              "Names of models, separated by commas, or all; an unknown one "
              "lists those that there are.");
DEFINE_int64(epochs, 0, "Epochs; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_double(offset, 0.0,
              "Offset of the label's logit in the loss of constrained models; "
              "0: the preset's.");
DEFINE_double(temperature, 0.0,
              "What their logits are multiplied by in the loss; 0: the "
              "preset's.");
DEFINE_int64(held_out, 0,
             "Images outside the training subsets to compare settings on "
             "instead of the test images. 0: none.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  SmallDataSettings settings;
  if (!FLAGS_images.empty()) {
    const auto images = SplitIntegers("images", FLAGS_images);
    if (!images.ok()) return ReportError(images.status());
    settings.images = *images;
  }
  if (FLAGS_model != "all") settings.models = SplitList(FLAGS_model);
  if (FLAGS_epochs != 0) settings.epochs = FLAGS_epochs;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (FLAGS_offset != 0.0) settings.offset = FLAGS_offset;
  if (FLAGS_temperature != 0.0) settings.temperature = FLAGS_temperature;
  if (FLAGS_held_out < 0) {
    return ReportError(
        absl::InvalidArgumentError("--held_out must not be negative"));
  }
  settings.held_out = FLAGS_held_out;
  return RunExperiment(SmallDataExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Classifies digits from few training images, with and without a "
      "Lipschitz constraint.");
  return lipschitz::experiments::Main();
}
