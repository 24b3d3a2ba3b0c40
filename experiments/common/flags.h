// The flags that every program in experiments/ takes. Linked into programs
// only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

// Parses the command line (gflags, with --flagfile). Exits with 2 on a flag
// that is unknown or malformed and on an argument that is no flag, with 0 after
// --help.
void ParseFlags(int argc, char** argv, const std::string& usage);

// The common flags, checked. InvalidArgument names the flag.
absl::StatusOr<CommonSettings> CommonSettingsFromFlags();

}  // namespace lipschitz::experiments
