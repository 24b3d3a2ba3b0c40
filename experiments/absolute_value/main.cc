// bazel run //experiments/absolute_value -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include <cstdlib>

#include "experiments/absolute_value/absolute_value.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"

DEFINE_string(
    activation, "all",
    "Activations, separated by commas, or all: relu, leaky_relu, abs, "
    "maxmin, groupsort4, fullsort, maxout, crelu.");
DEFINE_string(constraint, "all",
              "Constraints, separated by commas, or all: bjorck, stiefel, "
              "polar, spectral, linf.");
DEFINE_string(hidden_layers, "all",
              "Numbers of hidden layers, separated by commas, or all: 1,2,3.");
DEFINE_int64(width, 0, "Neurons per hidden layer; 0: the preset's.");
DEFINE_int64(steps, 0, "Optimiser steps; 0: the preset's.");
DEFINE_int64(batch_size, 0,
             "Samples of each distribution per step; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_bool(rescale_raw, true,
            "Keep the length of raw weights whose length does not matter; "
            "false: let them grow, as the authors' code does.");

namespace lipschitz::experiments {
namespace {

absl::StatusOr<AbsoluteValueSettings> SettingsFromFlags() {
  AbsoluteValueSettings settings;
  if (FLAGS_activation != "all")
    settings.activations = SplitList(FLAGS_activation);
  if (FLAGS_constraint != "all")
    settings.constraints = SplitList(FLAGS_constraint);
  if (FLAGS_hidden_layers != "all") {
    const auto layers = SplitIntegers("hidden_layers", FLAGS_hidden_layers);
    if (!layers.ok()) return layers.status();
    settings.hidden_layers = *layers;
  }
  if (FLAGS_width != 0) settings.width = FLAGS_width;
  if (FLAGS_steps != 0) settings.steps = FLAGS_steps;
  if (FLAGS_batch_size != 0) settings.batch_size = FLAGS_batch_size;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  settings.rescale_raw = FLAGS_rescale_raw;
  return settings;
}

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = SettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(AbsoluteValueExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Estimates the Wasserstein distance between 0 and ±1 with "
      "norm-constrained critics of every activation.");
  return lipschitz::experiments::Main();
}
