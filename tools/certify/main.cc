// bazel run //tools:certify -- --model=m.lip --images=x.npy --radius=0.5
#include <gflags/gflags.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/paths.h"
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

namespace GFLAGS_NAMESPACE {
// Defined by gflags for exactly this purpose, but not declared in its header.
extern void (*gflags_exitfunc)(int);
}  // namespace GFLAGS_NAMESPACE

namespace lipschitz::tools {
namespace {

using experiments::UserPath;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kBadInput = 2;

int Fail(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "ERROR: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

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
  if (!settings.ok()) return Fail(settings.status(), kBadInput);
  const auto report = MakeReport(*settings);
  if (!report.ok()) return Fail(report.status(), kBadInput);
  if (FLAGS_output.empty()) {
    std::fputs(report->csv.c_str(), stdout);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      return Fail(absl::UnavailableError("cannot write to standard output"),
                  kFailed);
    }
  } else {
    const absl::Status written =
        WriteFileAtomically(UserFile(FLAGS_output), report->csv);
    if (!written.ok()) return Fail(written, kFailed);
  }
  std::fputs(report->summary.c_str(), stderr);
  return kDone;
}

}  // namespace
}  // namespace lipschitz::tools

int main(int argc, char** argv) {
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) {
    std::exit(lipschitz::tools::kBadInput);
  };
  gflags::SetUsageMessage(
      "Certified radii of images under a saved model, as CSV: no image within "
      "that distance has another class.");
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, /*remove_flags=*/true);
  std::string help;
  if (gflags::GetCommandLineOption("help", &help) && help == "true") {
    gflags::ShowUsageWithFlagsRestrict(argv[0], "tools/certify/");
    return lipschitz::tools::kDone;
  }
  // What else gflags answers by itself (--version, --helpxml, ...).
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) { std::exit(0); };
  gflags::HandleCommandLineHelpFlags();
  if (argc > 1) {
    return lipschitz::tools::Fail(
        absl::InvalidArgumentError(
            absl::StrCat("'", argv[1], "' is not a flag (see --help)")),
        lipschitz::tools::kBadInput);
  }
  return lipschitz::tools::Main();
}
