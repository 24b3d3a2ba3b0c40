// bazel run //experiments/orthonormal_training -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/orthonormal_training/orthonormal_training.h"

DEFINE_string(constraint, "all",
              "Constraints, separated by commas, or all: bjorck, polar, "
              "stiefel, stiefel_ambient.");
DEFINE_string(activation, "all",
              "Activations, separated by commas, or all: maxmin, groupsort4, "
              "relu.");
DEFINE_int64(steps, 0, "Optimiser steps; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  OrthonormalTrainingSettings settings;
  if (FLAGS_constraint != "all") {
    settings.constraints = SplitList(FLAGS_constraint);
  }
  if (FLAGS_activation != "all") {
    settings.activations = SplitList(FLAGS_activation);
  }
  if (FLAGS_steps != 0) settings.steps = FLAGS_steps;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  return RunExperiment(OrthonormalTrainingExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Tells concentric shells apart with orthonormal weights made in three "
      "ways.");
  return lipschitz::experiments::Main();
}
