// Planning and executing an experiment's runs inside a test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/settings.h"

namespace lipschitz::testing {

// The plan; a failure, and no run, where there is none.
std::vector<experiments::Run> PlanOf(
    const experiments::Experiment& experiment,
    const experiments::CommonSettings& settings);

// The outcome of a run; a failure that names it where it has none.
experiments::RunOutcome Execute(const experiments::Run& run, uint64_t seed);

}  // namespace lipschitz::testing
