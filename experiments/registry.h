// Every experiment there is.
#pragma once

#include <memory>
#include <vector>

#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

// With their standard settings, in the order of the report.
std::vector<std::unique_ptr<Experiment>> AllExperiments();

}  // namespace lipschitz::experiments
