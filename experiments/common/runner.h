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

// What is done about a run that another process is at work on.
enum class LockPolicy {
  kWait,  // until it is done
  kSkip,
};

struct RunnerResult {
  // Of this call and kept ones, in the order of the tasks.
  std::vector<Record> records;
  int executed = 0;
  int kept = 0;  // had an ok record of the same configuration already
  int failed = 0;
  int locked = 0;  // left to another process
  // A stop was requested before every task was done.
  bool interrupted = false;
};

// Works through the tasks. With settings.resume a task whose record of the same
// configuration is ok is kept, and an unfinished training goes on from its
// checkpoint. A run that fails leaves a failed record and does not stop the
// others; where a file that is no record of a known schema lies at a record's
// place, the run is failed without running, and the file left alone. An error
// is returned only when a record or a checkpoint cannot be written. A run is
// locked (RESULTS_DIR/locks) while it is at work, so that several processes may
// share one folder.
absl::StatusOr<RunnerResult> RunTasks(
    const std::vector<Task>& tasks, const CommonSettings& settings,
    RunObserver& observer, const std::function<bool()>& stop_requested,
    LockPolicy policy = LockPolicy::kWait);

// The notes of the runs, each once.
std::vector<std::string> NotesOf(const std::vector<Task>& tasks);

// EXPERIMENT/SLUG-sSEED: a task's name in the paths of its files.
std::string TaskName(const Task& task);

// Whether `record` is what `task` would find: an ok one of the same
// configuration.
bool IsDone(const Record& record, const Task& task);

// InvalidArgument, naming the folder and the reason, unless files can be
// written below `results_dir`.
absl::Status CheckResultsDir(const std::string& results_dir);

}  // namespace lipschitz::experiments
