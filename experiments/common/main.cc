#include "experiments/common/main.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiments/common/progress.h"
#include "experiments/common/record.h"
#include "experiments/common/runner.h"
#include "lipschitz/base/blas.h"
#include "lipschitz/base/processor.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

std::atomic<bool> stop_requested{false};

void OnSignal(int signal) {
  stop_requested = true;
  std::signal(signal, SIG_DFL);
}

}  // namespace

int ReportFailure(const absl::Status& status) {
  std::fprintf(stderr, "ERROR: %s\n", std::string(status.message()).c_str());
  return kExitFailed;
}

int ReportError(const absl::Status& status) {
  const int failed = ReportFailure(status);
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status)
             ? kExitBadInput
             : failed;
}

void WarnAboutBlas() {
  const BlasInfo blas = DetectBlas();
  if (blas.IsReference()) {
    std::fputs(ReferenceBlasWarning(blas).c_str(), stderr);
  }
  if (MissesAvx512(blas, HasAvx512())) {
    std::fputs(Avx512Hint(blas).c_str(), stderr);
  }
}

std::function<bool()> StopOnInterrupt() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  return [] { return stop_requested.load(); };
}

absl::Status WriteReportFromRecords(const Experiment& experiment,
                                    const std::string& results_dir) {
  const RecordSet set = ReadRecords(results_dir, experiment.name());
  for (const std::string& problem : set.problems) {
    std::fprintf(stderr, "WARNING: left out: %s\n", problem.c_str());
  }
  for (const Preset preset : {Preset::kSmoke, Preset::kQuick, Preset::kPaper}) {
    const std::vector<Record> records = StandardRecords(set.records, preset);
    if (records.empty()) continue;
    const std::string stem =
        preset == Preset::kQuick
            ? experiment.name()
            : absl::StrCat(experiment.name(), "_", PresetName(preset));
    LIPSCHITZ_RETURN_IF_ERROR(WithContext(
        experiment.WriteReport(results_dir, stem, records), experiment.name()));
  }
  return absl::OkStatus();
}

int RunExperiment(const Experiment& experiment,
                  const CommonSettings& settings) {
  WarnAboutBlas();
  auto plan = experiment.Plan(settings);
  if (!plan.ok()) return ReportError(plan.status());
  std::vector<Task> tasks;
  for (Run& run : *plan) {
    tasks.push_back(
        {&experiment, std::move(run), settings.preset, settings.seed});
  }
  ProgressDisplay display(settings.progress, stderr);
  const std::function<bool()> stop = StopOnInterrupt();
  const auto result = RunTasks(tasks, settings, display, stop);
  if (!result.ok()) return ReportError(result.status());
  if (result->interrupted) {
    display.Notice(absl::StrCat("stopped after ", result->records.size(),
                                " of ", tasks.size(),
                                " runs; the same command goes on from here"));
    return kExitInterrupted;
  }
  std::fputs(experiment.MakeTable(result->records).ToMarkdown().c_str(),
             stdout);
  std::fflush(stdout);
  const absl::Status reported =
      WriteReportFromRecords(experiment, settings.results_dir);
  if (!reported.ok()) return ReportFailure(reported);
  display.Notice(absl::StrCat("records: ", settings.results_dir, "/records/",
                              experiment.name(),
                              "\ntables and figures: ", settings.results_dir,
                              "/tables, ", settings.results_dir, "/figures"));
  for (const Record& record : result->records) {
    if (record.ok()) continue;
    std::fprintf(stderr, "FAILED: %s: %s\n", record.slug.c_str(),
                 record.message.c_str());
  }
  return result->failed > 0 ? kExitFailed : kExitDone;
}

}  // namespace lipschitz::experiments
