// An experiment whose runs are the test's.
#pragma once

#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// Plans `runs`, for every preset; its table has a row for every record's slug,
// and reports are written nowhere but into `reports`.
class FakeExperiment : public Experiment {
 public:
  struct Report {
    std::string results_dir;
    std::string stem;
    std::vector<std::string> slugs;
  };

  std::string name() const override { return "fake"; }
  std::string headline_metric() const override { return "score"; }
  absl::StatusOr<std::vector<Run>> Plan(const CommonSettings&) const override {
    if (!plan_status.ok()) return plan_status;
    return runs;
  }
  Table MakeTable(const std::vector<Record>& records) const override {
    Table table;
    table.title = "A fake table";
    table.columns = {{"slug"}};
    for (const Record& record : records) table.rows.push_back({record.slug});
    return table;
  }
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override {
    reports.push_back({results_dir, stem, {}});
    if (records.size() > most_records) throw std::length_error("too many");
    for (const Record& record : records) {
      reports.back().slugs.push_back(record.slug);
      if (!curve.empty()) static_cast<void>(record.curves.at(curve));
    }
    return report_status;
  }

  std::vector<Run> runs;
  absl::Status plan_status;
  absl::Status report_status;
  // That reports read, if any.
  std::string curve;
  // More of them in a report make it throw.
  size_t most_records = std::numeric_limits<size_t>::max();
  mutable std::vector<Report> reports;
};

// A run with a variant and a configuration of its own.
inline Run FakeRun(
    const std::string& slug,
    std::function<absl::StatusOr<RunOutcome>(const RunContext&)> execute) {
  Run run;
  run.slug = slug;
  run.label = "label of " + slug;
  run.variant = {{"name", slug}};
  run.config = {{"version", 1}, {"name", slug}, {"rate", 0.1}};
  run.execute = std::move(execute);
  return run;
}

// A run that succeeds and counts how often.
inline Run CountingRun(const std::string& slug, int* executions) {
  return FakeRun(slug,
                 [executions](const RunContext&) -> absl::StatusOr<RunOutcome> {
                   ++*executions;
                   RunOutcome outcome;
                   outcome.metrics = {{"score", 0.5}};
                   return outcome;
                 });
}

// A run that ends with `status`.
inline Run FailingRun(const std::string& slug, const absl::Status& status) {
  return FakeRun(slug,
                 [status](const RunContext&) -> absl::StatusOr<RunOutcome> {
                   return status;
                 });
}

}  // namespace lipschitz::experiments
