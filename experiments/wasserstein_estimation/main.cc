// bazel run //experiments/wasserstein_estimation -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/common/paths.h"
#include "experiments/wasserstein_estimation/wasserstein_estimation.h"
#include "lipschitz/base/status.h"

DEFINE_string(generator, "",
              "A generator's file; empty: those of --kind. With it, records "
              "are kept out of the tables of the published generators.");
DEFINE_string(kind, "",
              "Kinds of generators, separated by commas: "
              "results/generators/DATASET-KIND.lip; empty: the preset's.");
DEFINE_string(samples, "",
              "What critics are evaluated on, separated by commas: held_out, "
              "same_samples; empty: both.");
DEFINE_string(network, "",
              "dense, convolutional, or both separated by a comma; empty: the "
              "preset's (quick: dense).");
DEFINE_string(constraint, "",
              "Constraints, separated by commas; empty: the preset's.");
DEFINE_string(activation, "",
              "Activations, separated by commas; empty: the preset's.");
DEFINE_string(depth, "",
              "Numbers of hidden layers, separated by commas; empty: the "
              "preset's (quick: 3, and 5 for same_samples).");
DEFINE_int64(width, 0, "Of hidden dense layers; 0: the preset's.");
DEFINE_int64(steps, 0, "Optimiser steps; 0: the preset's.");
DEFINE_int64(batch_size, -1,
             "Images of each side in a step, 0: all; -1: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

absl::StatusOr<WassersteinEstimationSettings> SettingsFromFlags() {
  WassersteinEstimationSettings settings;
  if (!FLAGS_generator.empty()) settings.generator = UserPath(FLAGS_generator);
  settings.kinds = SplitList(FLAGS_kind);
  settings.samples = SplitList(FLAGS_samples);
  settings.networks = SplitList(FLAGS_network);
  settings.constraints = SplitList(FLAGS_constraint);
  settings.activations = SplitList(FLAGS_activation);
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.depths,
                             SplitIntegers("depth", FLAGS_depth));
  if (FLAGS_width != 0) settings.width = FLAGS_width;
  if (FLAGS_steps != 0) settings.steps = FLAGS_steps;
  if (FLAGS_batch_size != -1) settings.batch_size = FLAGS_batch_size;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  return settings;
}

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = SettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(WassersteinEstimationExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Estimates the Wasserstein distance between a generator's images and "
      "real ones from below, with critics of several activations.");
  return lipschitz::experiments::Main();
}
