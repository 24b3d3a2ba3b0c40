// What the main function of every program does, of experiments and of tools.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace lipschitz::experiments {

// Exit statuses of every program.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadInput = 2;
inline constexpr int kExitInterrupted = 130;

// Parses the command line (gflags, with --flagfile). Exits with 2 on a flag
// that is unknown or malformed and on an argument that is no flag, with 0 after
// --help, which shows the flags that source files below `folder` define.
void ParseCommandLine(int argc, char** argv, const std::string& usage,
                      const std::string& folder);

// Prints "ERROR: ..." and returns kExitBadInput for InvalidArgument and
// NotFound, else kExitFailed.
int ReportError(const absl::Status& status);

// The same for what went wrong while running: always kExitFailed.
int ReportFailure(const absl::Status& status);

// The same for what the user gave: always kExitBadInput.
int ReportBadInput(const absl::Status& status);

// Prints `text` to standard output, flushed. An error where it does not get
// there.
absl::Status PrintResult(const std::string& text);

// Warns once on standard error when the process runs on the reference BLAS.
void WarnAboutBlas();

// After the first Ctrl-C (or SIGTERM) the returned function is true, and the
// program may finish in order; a second one ends it at once.
std::function<bool()> StopOnInterrupt();

}  // namespace lipschitz::experiments
