// bazel run //experiments/gradient_norm -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/gradient_norm/gradient_norm.h"

DEFINE_string(task, "", "critic, classifier, or both (empty).");
DEFINE_string(activation, "",
              "Activations, separated by commas; empty: all. An unknown one "
              "lists those that there are.");
DEFINE_string(constraint, "",
              "stiefel, bjorck or both, separated by a comma; empty: the "
              "preset's.");
DEFINE_string(depths, "",
              "Numbers of hidden layers, separated by commas; empty: the "
              "preset's.");
DEFINE_int64(width, 0, "Of every hidden layer; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  GradientNormSettings settings;
  settings.tasks = SplitList(FLAGS_task);
  settings.activations = SplitList(FLAGS_activation);
  settings.constraints = SplitList(FLAGS_constraint);
  const auto depths = SplitIntegers("depths", FLAGS_depths);
  if (!depths.ok()) return ReportError(depths.status());
  settings.depths = *depths;
  if (FLAGS_width != 0) settings.width = FLAGS_width;
  return RunExperiment(GradientNormExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Measures how much of the gradient reaches every layer, before and after "
      "training, for several activations and depths.");
  return lipschitz::experiments::Main();
}
