// bazel run //tools:inspect -- --model=m.lip --images=x.npy --figure=m.png
#include <gflags/gflags.h>

#include <string>

#include "absl/status/status.h"
#include "experiments/common/paths.h"
#include "experiments/common/program.h"
#include "tools/inspect/report.h"

DEFINE_string(model, "", "The model: a file that an experiment saved.");
DEFINE_string(
    images, "",
    "Its inputs: .npy, float32, float64 or uint8; (n, d), (n, h, w) "
    "or (n, c, h, w). Empty: random ones, in the range that the "
    "model's metadata state as input_range (lower,upper), or [0, 1].");
DEFINE_int64(inputs, 200, "How many inputs are looked at.");
DEFINE_int32(steps, 30, "Of each ascent of the lower bounds.");
DEFINE_string(figure, "",
              "A .png or .svg file for a figure of the gradients and the "
              "singular values; empty: none.");
DEFINE_uint64(seed, 0, "Of random inputs and directions.");

namespace lipschitz::tools {
namespace {

using experiments::PrintResult;
using experiments::ReportBadInput;
using experiments::ReportFailure;
using experiments::UserPath;

int Main() {
  if (FLAGS_model.empty()) {
    return ReportBadInput(
        absl::InvalidArgumentError("--model is needed (see --help)"));
  }
  InspectSettings settings;
  settings.model = UserPath(FLAGS_model);
  if (!FLAGS_images.empty()) settings.images = UserPath(FLAGS_images);
  settings.inputs = FLAGS_inputs;
  settings.steps = FLAGS_steps;
  settings.seed = FLAGS_seed;
  if (!FLAGS_figure.empty()) settings.figure = UserPath(FLAGS_figure);
  const auto report = MakeInspection(settings);
  if (!report.ok()) return ReportBadInput(report.status());
  absl::Status complete = PrintResult(report->text);
  complete.Update(report->figure);
  return complete.ok() ? experiments::kExitDone : ReportFailure(complete);
}

}  // namespace
}  // namespace lipschitz::tools

int main(int argc, char** argv) {
  lipschitz::experiments::ParseCommandLine(
      argc, argv,
      "How much of its Lipschitz constant a saved model uses: bounds, singular "
      "values, gradients and active units of every layer, and a lower bound on "
      "the constant.",
      "tools/inspect/");
  return lipschitz::tools::Main();
}
