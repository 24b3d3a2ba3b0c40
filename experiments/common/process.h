// Running another program to its end.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lipschitz::experiments {

struct ProcessCall {
  // The program, looked up in PATH unless it has a slash, and its arguments.
  std::vector<std::string> arguments;
  // Files that take what it writes to standard output and standard error;
  // empty: they go where ours go.
  std::string output_path;
  std::string error_path;
};

// The program's exit status; 128 and the signal's number when a signal ended
// it, as a shell says. NotFound when there is no such program.
absl::StatusOr<int> RunProcess(const ProcessCall& call);

}  // namespace lipschitz::experiments
