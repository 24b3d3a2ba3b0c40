#include "experiments/reproduction/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/progress.h"
#include "experiments/common/record.h"
#include "experiments/reproduction/estimate.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

RunNames NamesOf(const Experiment& experiment, const Run& run) {
  return {experiment.name(), run.label, run.slug};
}

CostEstimates EstimatesFor(const std::vector<Task>& tasks,
                           std::vector<std::string> folders) {
  std::set<std::string> names;
  for (const Task& task : tasks) names.insert(task.experiment->name());
  std::sort(folders.begin(), folders.end());
  folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
  CostEstimates estimates;
  for (const std::string& folder : folders) {
    for (const std::string& name : names) {
      for (const Record& record : ReadRecords(folder, name).records) {
        estimates.Add(record);
      }
    }
  }
  return estimates;
}

}  // namespace

absl::StatusOr<std::vector<Task>> MakeTasks(const ExperimentList& experiments,
                                            const CommonSettings& settings,
                                            int seeds,
                                            const Selection& selection) {
  std::vector<std::string> names;
  std::vector<RunNames> runs;
  std::vector<Task> tasks;
  for (const auto& experiment : experiments) {
    names.push_back(experiment->name());
    // Planning may need a dataset that is not there.
    if (!selection.WantsExperiment(experiment->name())) continue;
    auto plan = experiment->Plan(settings);
    if (!plan.ok()) return WithContext(plan.status(), experiment->name());
    for (const Run& run : *plan) runs.push_back(NamesOf(*experiment, run));
    for (int i = 0; i < seeds; ++i) {
      for (const Run& run : *plan) {
        if (!selection.WantsRun(NamesOf(*experiment, run))) continue;
        tasks.push_back({experiment.get(), run, settings.preset,
                         settings.seed + static_cast<uint64_t>(i)});
      }
    }
  }
  LIPSCHITZ_RETURN_IF_ERROR(selection.Check(names, runs));
  if (tasks.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: --skip leaves nothing of what --only names");
  }
  return tasks;
}

std::vector<Task> OfShard(const std::vector<Task>& tasks, const Shard& shard) {
  std::vector<Task> part;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (shard.Has(static_cast<int64_t>(i))) part.push_back(tasks[i]);
  }
  return part;
}

std::vector<PlannedTask> LookUp(
    std::vector<Task> tasks, const CommonSettings& settings,
    const std::vector<std::string>& more_results_dirs) {
  std::vector<std::string> folders = more_results_dirs;
  folders.push_back(settings.results_dir);
  const CostEstimates estimates = EstimatesFor(tasks, std::move(folders));
  std::vector<PlannedTask> plan;
  plan.reserve(tasks.size());
  for (Task& task : tasks) {
    PlannedTask planned;
    if (settings.resume) {
      const auto record =
          ReadRecord(RecordPath(settings.results_dir, task.experiment->name(),
                                task.run.slug, task.seed));
      planned.done = record.ok() && IsDone(*record, task);
    }
    planned.estimate = estimates.Seconds(task);
    planned.task = std::move(task);
    plan.push_back(std::move(planned));
  }
  return plan;
}

std::vector<size_t> Schedule(const std::vector<PlannedTask>& plan) {
  std::vector<size_t> order;
  for (size_t i = 0; i < plan.size(); ++i) {
    if (!plan[i].done) order.push_back(i);
  }
  const auto length = [&](size_t i) {
    return plan[i].estimate.value_or(std::numeric_limits<double>::infinity());
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return length(a) > length(b); });
  return order;
}

Table PlanTable(const std::vector<PlannedTask>& plan, int jobs) {
  Table table;
  table.columns = {{"experiment"}, {"run"},   {"dataset"}, {"seed"},
                   {"preset"},     {"state"}, {"seconds"}};
  int done = 0;
  int unknown = 0;
  std::vector<PendingRun> pending;
  for (const PlannedTask& planned : plan) {
    const Task& task = planned.task;
    table.rows.push_back(
        {task.experiment->name(), task.run.label, task.run.dataset,
         absl::StrCat(task.seed), PresetName(task.preset),
         planned.done ? "done" : "to do",
         planned.estimate ? absl::StrFormat("%.1f", *planned.estimate) : "?"});
    if (planned.done) {
      ++done;
    } else if (planned.estimate) {
      pending.push_back({planned.estimate, 0.0});
    } else {
      ++unknown;
    }
  }
  std::string total = absl::StrFormat(
      "%d runs: %d done, %d to do, about %s with --jobs=%d", plan.size(), done,
      plan.size() - done,
      FormatDuration(Pace().SecondsLeft(pending, jobs).value_or(0.0)), jobs);
  if (unknown > 0) {
    absl::StrAppend(&total, " and ", unknown, " runs of unknown length");
  }
  table.notes = {std::move(total)};
  return table;
}

}  // namespace lipschitz::experiments
