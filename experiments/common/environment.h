// What a run ran on.
#pragma once

#include <string>

#include "experiments/common/record.h"

namespace lipschitz::experiments {

// {"libtorch", "blas", "compiler", "threads", "device", "commit"}: versions and
// names, no paths. `commit` is the short hash of the workspace's HEAD, with
// "-dirty" when a tracked file outside results/ differs from it, or "unknown".
Json DescribeEnvironment(const std::string& device);

// The most memory that this process held so far, MiB; NaN where the system does
// not say.
double PeakMemoryMib();

}  // namespace lipschitz::experiments
