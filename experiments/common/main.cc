#include "experiments/common/main.h"

#include <cstdio>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiments/common/anchors.h"
#include "experiments/common/progress.h"
#include "experiments/common/record.h"
#include "experiments/common/runner.h"
#include "experiments/common/table.h"
#include "experiments/common/unusable_record.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
absl::StatusOr<std::string> PrintedTable(const Experiment& experiment,
                                         const std::vector<Record>& records,
                                         const std::string& results_dir) {
  std::string text;
  LIPSCHITZ_RETURN_IF_ERROR(UseRecords(
      records, results_dir,
      [&](const std::vector<Record>& used, const std::string& /*folder*/) {
        text = experiment.MakeTable(used).ToMarkdown();
        return absl::OkStatus();
      }));
  return text;
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
    LIPSCHITZ_RETURN_IF_ERROR(UseRecords(
        records, results_dir,
        [&](const std::vector<Record>& used, const std::string& folder) {
          return WithContext(experiment.WriteReport(folder, stem, used),
                             experiment.name());
        }));
  }
  Table anchors;
  LIPSCHITZ_RETURN_IF_ERROR(UseRecords(
      set.records, results_dir,
      [&](const std::vector<Record>& used, const std::string& /*folder*/) {
        anchors = AnchorTable(experiment, AllAnchors(), used);
        return absl::OkStatus();
      }));
  if (!anchors.rows.empty()) {
    LIPSCHITZ_RETURN_IF_ERROR(WriteTable(
        results_dir, absl::StrCat(experiment.name(), "_anchors"), anchors));
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
  for (const std::string& note : NotesOf(tasks)) display.Notice(note);
  const std::function<bool()> stop = StopOnInterrupt();
  const auto result = RunTasks(tasks, settings, display, stop);
  if (!result.ok()) return ReportError(result.status());
  if (result->interrupted) {
    display.Notice(absl::StrCat("stopped after ", result->records.size(),
                                " of ", tasks.size(), " runs; ",
                                HowToGoOn(settings)));
    return kExitInterrupted;
  }
  const auto table =
      PrintedTable(experiment, result->records, settings.results_dir);
  if (!table.ok()) return ReportFailure(table.status());
  std::fputs(table->c_str(), stdout);
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
