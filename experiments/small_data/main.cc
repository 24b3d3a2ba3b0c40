// bazel run //experiments/small_data -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include "experiments/common/classifier_flags.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/small_data/small_data.h"

DEFINE_string(images, "",
              "Numbers of training images, separated by commas; empty: the "
              "preset's.");
DEFINE_string(model, "all",
              "Names of models, separated by commas, or all; an unknown one "
              "lists those that there are.");

namespace lipschitz::experiments {
namespace {

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  SmallDataSettings settings;
  if (!FLAGS_images.empty()) {
    const auto images = SplitIntegers("images", FLAGS_images);
    if (!images.ok()) return ReportError(images.status());
    settings.images = *images;
  }
  if (FLAGS_model != "all") settings.models = SplitList(FLAGS_model);
  const auto changes = RecipeChangesFromFlags();
  if (!changes.ok()) return ReportError(changes.status());
  settings.changes = *changes;
  return RunExperiment(SmallDataExperiment(settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Classifies digits from few training images, with and without a "
      "Lipschitz constraint.");
  return lipschitz::experiments::Main();
}
