#include "experiments/common/environment.h"

#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <torch/version.h>

#include <cstdio>
#include <cstdlib>
#include <limits>

#include "absl/strings/str_cat.h"
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

std::string Commit() {
  const char* const workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  const std::string git = workspace == nullptr
                              ? std::string("git")
                              : absl::StrCat("git -C '", workspace, "'");
  std::string commit;
  if (!FirstLineOf(git + " rev-parse --short=12 HEAD 2>/dev/null", &commit)) {
    return "unknown";
  }
  std::string changed;
  FirstLineOf(git +
                  " status --porcelain --untracked-files=no -- "
                  "':(top,exclude)results' 2>/dev/null",
              &changed);
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
