// bazel run //experiments/transport_accuracy -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include "experiments/common/critic_flags.h"
#include "experiments/common/flags.h"
#include "experiments/transport_accuracy/transport_accuracy.h"

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = CriticSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(TransportAccuracyExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Estimates the Wasserstein distance between samples, beside the exact "
      "one, "
      "with norm-constrained critics of several activations.");
  return lipschitz::experiments::Main();
}
