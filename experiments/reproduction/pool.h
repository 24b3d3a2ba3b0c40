// Several processes at work on one plan.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/reproduction/display.h"

namespace lipschitz::experiments {

struct PoolRun {
  std::string name;                // for the worker: TaskName
  std::string label;               // for the user
  std::optional<double> estimate;  // seconds
};

struct PoolOptions {
  // The worker's program and arguments (worker.h).
  std::vector<std::string> command;
  int jobs = 1;
  // Runs that were done before, for the display.
  int done_before = 0;
};

struct PoolFailure {
  std::string label;
  std::string message;
};

struct PoolResult {
  int done = 0;
  int kept = 0;  // somebody else did them meanwhile
  std::vector<PoolFailure> failures;
  bool interrupted = false;
};

// Hands out `runs` in their order. What somebody else is at work on is tried
// again after the others, until it is done. A run that fails, or takes its
// process with it, does not stop the others. A stop is handed on to the
// processes, and waited for. An error that every further run would meet ends
// the plan.
absl::StatusOr<PoolResult> RunPool(const std::vector<PoolRun>& runs,
                                   const PoolOptions& options,
                                   PlanDisplay& display,
                                   const std::function<bool()>& stop_requested);

}  // namespace lipschitz::experiments
