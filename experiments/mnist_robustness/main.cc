// bazel run //experiments/mnist_robustness -- --norm=l2 --preset=quick
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "absl/status/status.h"
#include "experiments/common/classifier_flags.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/mnist_robustness/mnist_robustness.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"

DEFINE_string(norm, "all", "l2, linf, or all.");
DEFINE_string(model, "all",
              "Names of models, separated by commas, or all; an unknown one "
              "lists those that there are.");
DEFINE_string(hidden, "",
              "Widths of the hidden layers, separated by commas; empty: the "
              "preset's.");
DEFINE_string(activation, "", "An activation; empty: the preset's.");
DEFINE_double(margin, 0.0,
              "Margin of the hinge, where a model has it; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

absl::StatusOr<RobustnessSettings> SettingsFromFlags() {
  RobustnessSettings settings;
  if (FLAGS_norm != "all") {
    const auto norm = ParseNorm(FLAGS_norm);
    if (!norm.ok()) return norm.status();
    if (*norm == Norm::kL1) {
      return absl::InvalidArgumentError("--norm must be l2, linf or all");
    }
    settings.norms = {*norm};
  }
  if (FLAGS_model != "all") {
    settings.models = SplitList(FLAGS_model);
  }
  if (!FLAGS_hidden.empty()) {
    const auto hidden = SplitIntegers("hidden", FLAGS_hidden);
    if (!hidden.ok()) return hidden.status();
    settings.hidden = *hidden;
  }
  if (!FLAGS_activation.empty()) {
    const auto activation = ParseActivation(FLAGS_activation);
    if (!activation.ok()) return activation.status();
    settings.activation = *activation;
  }
  const auto changes = RecipeChangesFromFlags();
  if (!changes.ok()) return changes.status();
  settings.changes = *changes;
  if (FLAGS_margin != 0.0) settings.changes.margin = FLAGS_margin;
  return settings;
}

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = SettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(MnistRobustnessExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Trains classifiers of proven Lipschitz constant, certifies and attacks "
      "them.");
  return lipschitz::experiments::Main();
}
