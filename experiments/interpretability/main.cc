// bazel run //experiments/interpretability -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/interpretability/interpretability.h"

DEFINE_string(model, "",
              "Names of networks, separated by commas; empty: all. An unknown "
              "one lists those that there are.");
DEFINE_int64(epochs, 0, "Epochs; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_double(step, 0.0,
              "Length, in l2, of the steps that turn an image into another "
              "class; 0: the preset's.");
DEFINE_int64(most_steps, 0, "How many of them at most; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  InterpretabilitySettings settings;
  settings.models = SplitList(FLAGS_model);
  if (FLAGS_epochs != 0) settings.epochs = FLAGS_epochs;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (FLAGS_step != 0.0) settings.step = FLAGS_step;
  if (FLAGS_most_steps != 0) settings.most_steps = FLAGS_most_steps;
  return RunExperiment(InterpretabilityExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Compares the input gradients of classifiers with and without a "
      "Lipschitz constraint.");
  return lipschitz::experiments::Main();
}
