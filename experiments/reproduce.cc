// bazel run //experiments:reproduce -- --preset=quick
#include <gflags/gflags.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiments/common/flags.h"
#include "experiments/common/main.h"
#include "experiments/common/progress.h"
#include "experiments/common/runner.h"
#include "experiments/registry.h"

DEFINE_int32(seeds, 3,
             "Runs of every variant, with the seeds --seed, --seed + "
             "1, ...");

namespace lipschitz::experiments {
namespace {

absl::StatusOr<std::vector<Task>> MakeTasks(
    const std::vector<std::unique_ptr<Experiment>>& experiments,
    const CommonSettings& settings) {
  std::vector<Task> tasks;
  for (const auto& experiment : experiments) {
    auto plan = experiment->Plan(settings);
    if (!plan.ok()) return plan.status();
    for (int i = 0; i < FLAGS_seeds; ++i) {
      for (const Run& run : *plan) {
        tasks.push_back({experiment.get(), run, settings.preset,
                         settings.seed + static_cast<uint64_t>(i)});
      }
    }
  }
  return tasks;
}

int Main() {
  const auto settings = CommonSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  if (FLAGS_seeds < 1 ||
      settings->seed + static_cast<uint64_t>(FLAGS_seeds) - 1 > kLargestSeed) {
    return ReportError(absl::InvalidArgumentError(absl::StrCat(
        "--seeds must be at least 1, and the last seed at most ", kLargestSeed,
        ", got ", FLAGS_seeds, " from the seed ", settings->seed)));
  }
  WarnAboutBlas();
  const auto experiments = AllExperiments();
  const auto tasks = MakeTasks(experiments, *settings);
  if (!tasks.ok()) return ReportError(tasks.status());
  ProgressDisplay display(settings->progress, stderr);
  const std::function<bool()> stop = StopOnInterrupt();
  const auto result = RunTasks(*tasks, *settings, display, stop);
  if (!result.ok()) return ReportError(result.status());
  if (result->interrupted) {
    display.Notice(absl::StrCat("stopped after ", result->records.size(),
                                " of ", tasks->size(),
                                " runs; the same command goes on from here"));
    return kExitInterrupted;
  }
  for (const auto& experiment : experiments) {
    std::vector<Record> records;
    for (const Record& record : result->records) {
      if (record.experiment == experiment->name()) records.push_back(record);
    }
    std::printf("%s\n", experiment->MakeTable(records).ToMarkdown().c_str());
    const absl::Status reported =
        WriteReportFromRecords(*experiment, settings->results_dir);
    if (!reported.ok()) return ReportFailure(reported);
  }
  std::printf("%d runs done, %d kept from before, %d failed\n",
              result->executed, result->kept, result->failed);
  std::printf("tables: %s/tables\nfigures: %s/figures\nrecords: %s/records\n",
              settings->results_dir.c_str(), settings->results_dir.c_str(),
              settings->results_dir.c_str());
  for (const Record& record : result->records) {
    if (record.ok()) continue;
    std::fprintf(stderr, "%s\n",
                 absl::StrCat("FAILED: ", record.experiment, " ", record.slug,
                              " seed ", record.seed, ": ", record.message)
                     .c_str());
  }
  return result->failed > 0 ? kExitFailed : kExitDone;
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Runs every experiment and makes every table and figure. Finished runs "
      "are kept, unfinished ones go on from their checkpoints.");
  return lipschitz::experiments::Main();
}
