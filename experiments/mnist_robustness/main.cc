// bazel run //experiments/mnist_robustness -- --norm=l2 --preset=quick
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "absl/status/status.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/mnist_robustness/mnist_robustness.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/optim/optimizer.h"

DEFINE_string(norm, "all", "l2, linf, or all.");
DEFINE_string(model, "all",
              "Names of models, separated by commas, or all; an unknown one "
              "lists those that there are.");
DEFINE_string(hidden, "",
              "Widths of the hidden layers, separated by commas; empty: the "
              "preset's.");
DEFINE_string(activation, "", "An activation; empty: the preset's.");
DEFINE_double(margin, 0.0, "Margin of the loss; 0: the preset's.");
DEFINE_double(offset, 0.0,
              "Offset of the label's logit in the cross-entropy; 0: the "
              "preset's.");
DEFINE_double(temperature, 0.0,
              "What logits are multiplied by in the cross-entropy; 0: the "
              "preset's.");
DEFINE_int64(epochs, 0, "Epochs; 0: the preset's.");
DEFINE_int64(batch_size, 0, "Batch size; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_string(optimizer, "", "adam, aggmo or muon; empty: the preset's.");
DEFINE_int64(held_out, 0,
             "Training images held out to compare settings on: the run then "
             "reports on them and leaves the test set alone. 0: none.");

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
  if (FLAGS_margin != 0.0) settings.margin = FLAGS_margin;
  if (FLAGS_offset != 0.0) settings.offset = FLAGS_offset;
  if (FLAGS_temperature != 0.0) settings.temperature = FLAGS_temperature;
  if (FLAGS_epochs != 0) settings.epochs = FLAGS_epochs;
  if (FLAGS_batch_size != 0) settings.batch_size = FLAGS_batch_size;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (!FLAGS_optimizer.empty()) {
    const auto optimizer = ParseOptimizer(FLAGS_optimizer);
    if (!optimizer.ok()) return optimizer.status();
    settings.optimizer = *optimizer;
  }
  if (FLAGS_held_out != 0) settings.held_out = FLAGS_held_out;
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
