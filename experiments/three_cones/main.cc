// bazel run //experiments/three_cones -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include "experiments/common/critic_flags.h"
#include "experiments/common/flags.h"
#include "experiments/three_cones/three_cones.h"

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = CriticSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(ThreeConesExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Estimates the Wasserstein distance between three circles and their "
      "centres, "
      "with norm-constrained critics of several activations.");
  return lipschitz::experiments::Main();
}
