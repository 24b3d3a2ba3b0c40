// bazel run //experiments/mnist_classification -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/mnist_classification/mnist_classification.h"

DEFINE_string(constraint, "all",
              "Constraints, separated by commas, or all: none, dropout, "
              "jacobian, stiefel, spectral, parseval, linf_rows (or any other "
              "that the library has).");
DEFINE_string(activation, "all",
              "Activations, separated by commas, or all: relu, maxmin, "
              "groupsort4, fullsort, maxout.");
DEFINE_int64(epochs, 0, "Epochs; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_double(temperature, 0.0,
              "What logits are multiplied by in the loss; 0: the preset's.");
DEFINE_int64(held_out, 0,
             "Training images held out to compare settings on: the run then "
             "reports on them and leaves the test set alone. 0: none.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  ClassificationSettings settings;
  if (FLAGS_constraint != "all") {
    settings.constraints = SplitList(FLAGS_constraint);
  }
  if (FLAGS_activation != "all") {
    settings.activations = SplitList(FLAGS_activation);
  }
  if (FLAGS_epochs != 0) settings.epochs = FLAGS_epochs;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (FLAGS_temperature != 0.0) settings.temperature = FLAGS_temperature;
  if (FLAGS_held_out != 0) settings.held_out = FLAGS_held_out;
  return RunExperiment(MnistClassificationExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv, "Classifies digits under every constraint and activation.");
  return lipschitz::experiments::Main();
}
