// Runs plans and writes their records.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/progress.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

// A run of some experiment with a seed.
struct Task {
  const Experiment* experiment;
  Run run;
  Preset preset;
  uint64_t seed;
};

struct RunnerResult {
  // Of this call and kept ones, in the order of the tasks.
  std::vector<Record> records;
  int executed = 0;
  int kept = 0;  // had an ok record of the same configuration already
  int failed = 0;
  // A stop was requested before every task was done.
  bool interrupted = false;
};

// Works through the tasks. With settings.resume a task whose record of the same
// configuration is ok is kept, and an unfinished training goes on from its
// checkpoint. A run that fails leaves a failed record and does not stop the
// others; an error is returned only when a record or a checkpoint cannot be
// written.
absl::StatusOr<RunnerResult> RunTasks(
    const std::vector<Task>& tasks, const CommonSettings& settings,
    ProgressDisplay& display, const std::function<bool()>& stop_requested);

// InvalidArgument, naming the folder and the reason, unless files can be
// written below `results_dir`.
absl::Status CheckResultsDir(const std::string& results_dir);

}  // namespace lipschitz::experiments
