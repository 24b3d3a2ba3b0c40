// Running an experiment's program as a user does.
#pragma once

#include <string>
#include <vector>

#include "tests/testing/subprocess.h"

namespace lipschitz::testing {

// experiments/NAME/NAME, which must be among the test's data, on one thread of
// the CPU.
ProcessResult RunExperimentProgram(const std::string& name,
                                   const std::vector<std::string>& flags,
                                   const ProcessOptions& options = {});

// The same in the smoke preset, on the dataset called mnist (SyntheticMnist
// makes one that learns in seconds).
ProcessResult RunSmokeOnMnist(const std::string& name,
                              const std::vector<std::string>& flags,
                              const ProcessOptions& options = {});

}  // namespace lipschitz::testing
