// bazel run //experiments/wgan -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/wgan/wgan.h"

DEFINE_string(kind, "all",
              "wgan (weights clipped), wgan_gp (gradient penalty), lwgan "
              "(critic of constant 1), real (images of the dataset itself), "
              "separated by commas, or all.");
DEFINE_int64(iterations, 0, "Steps of the generator; 0: the preset's.");
DEFINE_int64(critic_steps, 0,
             "Steps of the critic before each; 0: the preset's.");
DEFINE_double(generator_learning_rate, 0.0,
              "Learning rate of the generator; 0: the preset's.");
DEFINE_double(critic_learning_rate, 0.0,
              "Learning rate of the critic; 0: the preset's.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  WganSettings settings;
  if (FLAGS_kind != "all") settings.kinds = SplitList(FLAGS_kind);
  if (FLAGS_iterations != 0) settings.iterations = FLAGS_iterations;
  if (FLAGS_critic_steps != 0) settings.critic_steps = FLAGS_critic_steps;
  if (FLAGS_generator_learning_rate != 0.0) {
    settings.generator_learning_rate = FLAGS_generator_learning_rate;
  }
  if (FLAGS_critic_learning_rate != 0.0) {
    settings.critic_learning_rate = FLAGS_critic_learning_rate;
  }
  return RunExperiment(WganExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Trains Wasserstein GANs with three kinds of critics and measures how "
      "near their images are to the data.");
  return lipschitz::experiments::Main();
}
