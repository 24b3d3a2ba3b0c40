// bazel run //experiments/squares -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include "experiments/common/critic_flags.h"
#include "experiments/common/flags.h"
#include "experiments/squares/squares.h"

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = CriticSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(SquaresExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Estimates the Wasserstein distance between an image with a white square "
      "and a black one, "
      "with norm-constrained critics of several activations.");
  return lipschitz::experiments::Main();
}
