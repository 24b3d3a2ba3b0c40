#include "experiments/common/program.h"

#include <gflags/gflags.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/paths.h"
#include "lipschitz/base/blas.h"
#include "lipschitz/base/processor.h"

namespace GFLAGS_NAMESPACE {
// Defined by gflags for exactly this purpose, but not declared in its header.
extern void (*gflags_exitfunc)(int);
}  // namespace GFLAGS_NAMESPACE

namespace lipschitz::experiments {
namespace {

std::atomic<bool> stop_requested{false};

void OnSignal(int signal) {
  stop_requested = true;
  std::signal(signal, SIG_DFL);
}

bool IsSet(const char* flag) {
  std::string value;
  return gflags::GetCommandLineOption(flag, &value) && value == "true";
}

int Report(const absl::Status& status, int exit_status) {
  std::fprintf(stderr, "ERROR: %s\n", std::string(status.message()).c_str());
  return exit_status;
}

}  // namespace

void ParseCommandLine(int argc, char** argv, const std::string& usage,
                      const std::string& folder) {
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) { std::exit(kExitBadInput); };
  gflags::SetUsageMessage(usage);
  // gflags opens the file itself, in the folder that `bazel run` chose.
  std::vector<std::string> arguments(argv, argv + argc);
  for (int i = 1; i < argc; ++i) {
    for (const std::string prefix : {"--flagfile=", "-flagfile="}) {
      if (!absl::StartsWith(arguments[i], prefix)) continue;
      arguments[i] = prefix + UserPath(arguments[i].substr(prefix.size()));
      argv[i] = arguments[i].data();
    }
  }
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, /*remove_flags=*/true);
  if (IsSet("help") || IsSet("helpfull") || IsSet("helpshort")) {
    gflags::ShowUsageWithFlagsRestrict(argv[0], folder.c_str());
    std::exit(kExitDone);
  }
  // What else gflags answers by itself (--version, --helpxml, ...).
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) { std::exit(kExitDone); };
  gflags::HandleCommandLineHelpFlags();
  if (argc > 1) {
    std::exit(ReportBadInput(absl::InvalidArgumentError(
        absl::StrCat("'", argv[1],
                     "' is not a flag; flags look like --NAME=VALUE (see "
                     "--help)"))));
  }
}

int ReportFailure(const absl::Status& status) {
  return Report(status, kExitFailed);
}

int ReportBadInput(const absl::Status& status) {
  return Report(status, kExitBadInput);
}

int ReportError(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status)
             ? ReportBadInput(status)
             : ReportFailure(status);
}

absl::Status PrintResult(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return absl::UnavailableError("cannot write to standard output");
  }
  return absl::OkStatus();
}

void WarnAboutBlas() {
  const BlasInfo blas = DetectBlas();
  if (blas.IsReference()) {
    std::fputs(ReferenceBlasWarning(blas).c_str(), stderr);
  }
  if (MissesAvx512(blas, HasAvx512())) {
    std::fputs(Avx512Hint(blas).c_str(), stderr);
  }
}

std::function<bool()> StopOnInterrupt() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  return [] { return stop_requested.load(); };
}

}  // namespace lipschitz::experiments
