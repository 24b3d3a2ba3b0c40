// bazel run //experiments:reproduce -- --preset=quick
#include <gflags/gflags.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/common/main.h"
#include "experiments/common/overview.h"
#include "experiments/common/paths.h"
#include "experiments/common/runner.h"
#include "experiments/registry.h"
#include "experiments/reproduction/display.h"
#include "experiments/reproduction/plan.h"
#include "experiments/reproduction/pool.h"
#include "experiments/reproduction/selection.h"
#include "experiments/reproduction/worker.h"
#include "lipschitz/base/status.h"

DEFINE_int32(seeds, 3,
             "Runs of every variant, with the seeds --seed, --seed + "
             "1, ...");
DEFINE_bool(list, false,
            "Print what would be run, what of it is done, and how long the "
            "rest will take, and run nothing.");
DEFINE_string(only, "",
              "Globs, separated by commas, over the names of experiments "
              "(mnist_*) or over EXPERIMENT/RUN as --list shows them "
              "(small_data/mnist-*, squares/*relu); empty: everything.");
DEFINE_string(skip, "", "The same, for what is left out.");
DEFINE_int32(jobs, 0,
             "Runs at a time, each in a process of --threads threads (where "
             "nothing is said, 1; with --jobs=1 one per physical core); 0: as "
             "many as there are physical cores for, on a GPU 1.");
DEFINE_string(shard, "1/1",
              "INDEX/COUNT: every COUNT-th run of the whole plan, from the "
              "INDEX-th, for a cluster's job array.");
DEFINE_int32(worker_of, 0,
             "Internal: the process that this one takes its runs from.");

namespace lipschitz::experiments {
namespace {

absl::Status CheckFlags(const CommonSettings& settings) {
  if (FLAGS_seeds < 1 ||
      settings.seed + static_cast<uint64_t>(FLAGS_seeds) - 1 > kLargestSeed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--seeds must be at least 1, and the last seed at most ", kLargestSeed,
        ", got ", FLAGS_seeds, " from the seed ", settings.seed));
  }
  if (FLAGS_jobs < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--jobs must not be negative, got ", FLAGS_jobs));
  }
  return absl::OkStatus();
}

// One process has all the cores, several have one each unless --threads says
// otherwise.
int ThreadsOfAJob(const CommonSettings& settings, int jobs) {
  if (settings.threads > 0) return settings.threads;
  return jobs > 1 ? 1 : 0;
}

int Jobs(const CommonSettings& settings) {
  if (FLAGS_jobs > 0) return FLAGS_jobs;
  if (settings.device != "cpu") return 1;
  return std::max(1, PhysicalCores() / std::max(1, settings.threads));
}

std::string LabelOf(const Task& task) {
  return absl::StrCat(task.experiment->name(), "/", task.run.label, " seed ",
                      task.seed);
}

std::vector<PoolRun> RunsToDo(const std::vector<PlannedTask>& plan) {
  std::vector<PoolRun> runs;
  for (const size_t i : Schedule(plan)) {
    runs.push_back(
        {TaskName(plan[i].task), LabelOf(plan[i].task), plan[i].estimate});
  }
  return runs;
}

// This program again, with the same flags.
std::vector<std::string> WorkerCommand(
    const std::vector<std::string>& arguments, const CommonSettings& settings,
    int jobs) {
  std::vector<std::string> command = arguments;
  command[0] = "/proc/self/exe";
  command.push_back(absl::StrCat("--worker_of=", getpid()));
  command.push_back(absl::StrCat("--threads=", ThreadsOfAJob(settings, jobs)));
  return command;
}

// Prints the tables of this plan's records, and writes those of all records.
absl::Status Report(const ExperimentList& experiments,
                    const std::vector<PlannedTask>& plan,
                    const CommonSettings& settings) {
  for (const auto& experiment : experiments) {
    std::vector<Record> records;
    bool planned = false;
    for (const PlannedTask& one : plan) {
      if (one.task.experiment != experiment.get()) continue;
      planned = true;
      auto record =
          ReadRecord(RecordPath(settings.results_dir, experiment->name(),
                                one.task.run.slug, one.task.seed));
      if (record.ok()) records.push_back(*std::move(record));
    }
    if (!planned) continue;
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const std::string table,
        PrintedTable(*experiment, records, settings.results_dir));
    LIPSCHITZ_RETURN_IF_ERROR(PrintResult(table + "\n"));
    LIPSCHITZ_RETURN_IF_ERROR(
        WriteReportFromRecords(*experiment, settings.results_dir));
  }
  return WriteOverview(experiments, settings.results_dir);
}

int Conclude(const PoolResult& result, const ExperimentList& experiments,
             const std::vector<PlannedTask>& plan, int done_before,
             bool is_whole, const CommonSettings& settings) {
  if (is_whole) {
    const absl::Status reported = Report(experiments, plan, settings);
    if (!reported.ok()) return ReportFailure(reported);
  }
  for (const PoolFailure& failure : result.failures) {
    std::fprintf(stderr, "FAILED: %s: %s\n", failure.label.c_str(),
                 failure.message.c_str());
  }
  std::string text =
      absl::StrCat(result.done + result.failures.size(), " runs done, ",
                   done_before + result.kept, " kept from before, ",
                   result.failures.size(), " failed\n");
  if (is_whole) {
    absl::StrAppend(&text, "tables: ", settings.results_dir,
                    "/tables\nfigures: ", settings.results_dir,
                    "/figures\nrecords: ", settings.results_dir,
                    "/records\nreport: ", settings.results_dir, "/README.md\n");
  } else {
    absl::StrAppend(&text,
                    "a part of the plan: tables and figures are made with "
                    "//results:tables once the records of all parts are in "
                    "one folder\nrecords: ",
                    settings.results_dir, "/records\n");
  }
  const absl::Status printed = PrintResult(text);
  if (!printed.ok()) return ReportFailure(printed);
  return result.failures.empty() ? kExitDone : kExitFailed;
}

int Main(const std::vector<std::string>& arguments) {
  if (FLAGS_worker_of > 0) ObeyParent(FLAGS_worker_of);
  const auto settings = CommonSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  const absl::Status checked = CheckFlags(*settings);
  if (!checked.ok()) return ReportError(checked);
  const auto shard = ParseShard(FLAGS_shard);
  if (!shard.ok()) return ReportError(shard.status());
  const ExperimentList experiments = AllExperiments();
  auto tasks =
      MakeTasks(experiments, *settings, FLAGS_seeds,
                Selection(SplitList(FLAGS_only), SplitList(FLAGS_skip)));
  if (!tasks.ok()) return ReportError(tasks.status());
  if (FLAGS_worker_of > 0) {
    return RunWorker(*tasks, *settings, stdin, stdout);
  }
  const int jobs = Jobs(*settings);
  const std::vector<Task> own = OfShard(*tasks, *shard);
  const std::vector<PlannedTask> plan =
      LookUp(own, *settings, {WorkspacePath("results")});
  if (FLAGS_list) {
    const absl::Status printed =
        PrintResult(PlanTable(plan, jobs).ToMarkdown());
    return printed.ok() ? kExitDone : ReportFailure(printed);
  }
  const absl::Status usable = CheckResultsDir(settings->results_dir);
  if (!usable.ok()) return ReportError(usable);
  const absl::Status place = CheckOverviewPlace(settings->results_dir);
  if (!place.ok()) return ReportBadInput(place);
  WarnAboutBlas();
  const std::vector<PoolRun> runs = RunsToDo(plan);
  PoolOptions options;
  options.command = WorkerCommand(arguments, *settings, jobs);
  options.jobs = jobs;
  options.done_before = static_cast<int>(plan.size() - runs.size());
  PlanDisplay display(settings->progress, stderr);
  for (const std::string& note : NotesOf(own)) display.Notice(note);
  const std::function<bool()> stop = StopOnInterrupt();
  std::signal(SIGPIPE, SIG_IGN);
  const auto result = RunPool(runs, options, display, stop);
  if (!result.ok()) return ReportError(result.status());
  if (result->interrupted) {
    display.Notice(absl::StrCat(
        "stopped after ", options.done_before + result->done + result->kept,
        " of ", plan.size(), " runs; ", HowToGoOn(*settings)));
    return kExitInterrupted;
  }
  return Conclude(*result, experiments, plan, options.done_before,
                  shard->count == 1, *settings);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Runs every experiment and makes every table and figure, and the report "
      "README.md from all of them. Finished runs "
      "are kept, unfinished ones go on from their checkpoints.");
  return lipschitz::experiments::Main(arguments);
}
