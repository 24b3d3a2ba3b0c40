// Everything that is to be run, and what of it is done.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/runner.h"
#include "experiments/common/settings.h"
#include "experiments/common/table.h"
#include "experiments/reproduction/selection.h"

namespace lipschitz::experiments {

using ExperimentList = std::vector<std::unique_ptr<Experiment>>;

// The runs of the wanted experiments with the seeds settings.seed, ...,
// settings.seed + seeds - 1: experiment by experiment, seed by seed.
// InvalidArgument for a selection that matches nothing.
absl::StatusOr<std::vector<Task>> MakeTasks(const ExperimentList& experiments,
                                            const CommonSettings& settings,
                                            int seeds,
                                            const Selection& selection);

// The part of `tasks` that the shard has; the same whatever is done already.
std::vector<Task> OfShard(const std::vector<Task>& tasks, const Shard& shard);

struct PlannedTask {
  Task task;
  // Its record is there and would be kept.
  bool done = false;
  // Seconds; none where nothing is known.
  std::optional<double> estimate;
};

// Looks up what is done in settings.results_dir (nothing counts without
// settings.resume), and how long the rest will take from the records there and
// in the other folders.
std::vector<PlannedTask> LookUp(
    std::vector<Task> tasks, const CommonSettings& settings,
    const std::vector<std::string>& more_results_dirs);

// Positions of what is to do, the longest first; what nothing is known of comes
// before the rest.
std::vector<size_t> Schedule(const std::vector<PlannedTask>& plan);

// One row a run, and below it the totals, for so many processes.
Table PlanTable(const std::vector<PlannedTask>& plan, int jobs);

}  // namespace lipschitz::experiments
