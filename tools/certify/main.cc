// bazel run //tools:certify -- --model=m.lip --images=x.npy --radius=0.5
#include <gflags/gflags.h>

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/paths.h"
#include "experiments/common/program.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/arithmetic.h"
#include "tools/certify/report.h"

DEFINE_string(model, "", "The model: a file that an experiment saved.");
DEFINE_string(images, "",
              "The images: .npy, float32 or float64 in [0, 1], or uint8; (n, "
              "d), (n, h, w) or (n, c, h, w).");
DEFINE_string(labels, "",
              "Their classes: .npy, whole numbers; empty: the predicted ones.");
DEFINE_double(radius, 0.0,
              "Also says which images are certified at it; 0: radii only.");
DEFINE_string(norm, "l2", "Of distances between images: l1, l2 or linf.");
DEFINE_string(arithmetic, "float64",
              "The arithmetic of the classifier that is certified, all its "
              "rounding included: float64 or float32.");
DEFINE_bool(any_range, false, "Accepts pixels outside [0, 1].");
DEFINE_string(output, "", "Where the CSV goes; empty: standard output.");

namespace lipschitz::tools {
namespace {

using experiments::PrintResult;
using experiments::ReportBadInput;
using experiments::ReportFailure;
using experiments::UserPath;

std::string UserFile(const std::string& path) {
  return path.empty() ? path : UserPath(path);
}

absl::StatusOr<ReportSettings> SettingsFromFlags() {
  if (FLAGS_model.empty() || FLAGS_images.empty()) {
    return absl::InvalidArgumentError(
        "--model and --images are needed (see --help)");
  }
  ReportSettings settings;
  settings.model = UserFile(FLAGS_model);
  settings.images = UserFile(FLAGS_images);
  settings.labels = UserFile(FLAGS_labels);
  settings.radius = FLAGS_radius;
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.norm, ParseNorm(FLAGS_norm));
  for (const Arithmetic known : {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
    if (FLAGS_arithmetic != ArithmeticName(known)) continue;
    settings.arithmetic = known;
    settings.any_range = FLAGS_any_range;
    return settings;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "--arithmetic must be float64 or float32, got '", FLAGS_arithmetic, "'"));
}

int Main() {
  const auto settings = SettingsFromFlags();
  if (!settings.ok()) return ReportBadInput(settings.status());
  const auto report = MakeReport(*settings);
  if (!report.ok()) return ReportBadInput(report.status());
  const absl::Status written =
      FLAGS_output.empty()
          ? PrintResult(report->csv)
          : WriteFileAtomically(UserFile(FLAGS_output), report->csv);
  if (!written.ok()) return ReportFailure(written);
  std::fputs(report->summary.c_str(), stderr);
  return experiments::kExitDone;
}

}  // namespace
}  // namespace lipschitz::tools

int main(int argc, char** argv) {
  lipschitz::experiments::ParseCommandLine(
      argc, argv,
      "Certified radii of images under a saved model, as CSV: no image within "
      "that distance has another class.",
      "tools/certify/");
  return lipschitz::tools::Main();
}
