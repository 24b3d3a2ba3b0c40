#include "experiments/common/environment.h"

#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <torch/version.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "lipschitz/base/blas.h"
#include "lipschitz/base/processor.h"

namespace lipschitz::experiments {
namespace {

// The output's first line, and whether the command succeeded.
bool FirstLineOf(const std::string& command, std::string* line) {
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return false;
  char buffer[256] = {};
  if (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) *line = buffer;
  while (!line->empty() && line->back() == '\n') line->pop_back();
  return pclose(pipe) == 0;
}

// As one word of a shell's command.
std::string Quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// Where the sources are: said by bazel run, else the checkout that the program
// was started in, if it is one of this project.
std::string Workspace() {
  const char* const said = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (said != nullptr) return said;
  std::string top;
  std::error_code error;
  const bool is_ours =
      FirstLineOf("git rev-parse --show-toplevel 2>/dev/null", &top) &&
      std::filesystem::exists(top + "/lipschitz/lipschitz.h", error);
  return is_ours ? top : "";
}

std::string Commit() {
  const std::string workspace = Workspace();
  if (workspace.empty()) return "unknown";
  const std::string git = absl::StrCat("git -C ", Quoted(workspace));
  std::string commit;
  if (!FirstLineOf(git + " rev-parse --short=12 HEAD 2>/dev/null", &commit)) {
    return "unknown";
  }
  std::string changed;
  if (!FirstLineOf(git + " status --porcelain --untracked-files=no -- "
                         "':(top,exclude)results' 2>/dev/null",
                   &changed)) {
    return "unknown";
  }
  return changed.empty() ? commit : commit + "-dirty";
}

}  // namespace

Json DescribeEnvironment(const std::string& device) {
  const BlasInfo blas = DetectBlas();
  // The commit cannot change while the program runs; asking costs a process.
  static const std::string commit = Commit();
  Json environment;
  environment["libtorch"] = TORCH_VERSION;
  environment["blas"] = blas.description.empty()
                            ? blas.name
                            : absl::StrCat(blas.name, ", ", blas.description);
  environment["processor"] = DescribeProcessor();
  environment["compiler"] = "g++ " __VERSION__;
  environment["threads"] = at::get_num_threads();
  environment["device"] = device;
  environment["commit"] = commit;
  return environment;
}

double PeakMemoryMib() {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return static_cast<double>(usage.ru_maxrss) / 1024.0;  // from KiB
}

}  // namespace lipschitz::experiments
