// bazel run //experiments/activation_statistics -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/activation_statistics/activation_statistics.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"

DEFINE_string(activation, "", "relu, maxmin, or both (empty).");
DEFINE_string(constant, "",
              "Lipschitz constants of the preset, or free, separated by "
              "commas; empty: all. An unknown one lists those that there are.");
DEFINE_int64(epochs, 0, "Epochs; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  ActivationStatisticsSettings settings;
  settings.activations = SplitList(FLAGS_activation);
  settings.constants = SplitList(FLAGS_constant);
  if (FLAGS_epochs != 0) settings.epochs = FLAGS_epochs;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  return RunExperiment(ActivationStatisticsExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Counts how often the units of classifiers are active, under a tighter "
      "and tighter Lipschitz constraint.");
  return lipschitz::experiments::Main();
}
