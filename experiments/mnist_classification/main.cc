// bazel run //experiments/mnist_classification -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/classifier_flags.h"
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
  const auto changes = RecipeChangesFromFlags();
  if (!changes.ok()) return ReportError(changes.status());
  settings.changes = *changes;
  return RunExperiment(MnistClassificationExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv, "Classifies digits under every constraint and activation.");
  return lipschitz::experiments::Main();
}
