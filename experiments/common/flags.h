// The flags that every program in experiments/ takes. Linked into programs
// only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

// ParseCommandLine, with the flags of all experiments in --help.
void ParseFlags(int argc, char** argv, const std::string& usage);

// The common flags, checked. InvalidArgument names the flag.
absl::StatusOr<CommonSettings> CommonSettingsFromFlags();

}  // namespace lipschitz::experiments
