// bazel run //experiments/high_dimensional_cone -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include "experiments/common/critic_flags.h"
#include "experiments/common/flags.h"
#include "experiments/high_dimensional_cone/high_dimensional_cone.h"

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = CriticSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(HighDimensionalConeExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Estimates the Wasserstein distance between a sphere in many dimensions "
      "and its centre, "
      "with norm-constrained critics of several activations.");
  return lipschitz::experiments::Main();
}
