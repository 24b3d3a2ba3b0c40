// bazel run //results:tables: every table, every figure and the
// report again, from the records.
#include <cstdio>
#include <string>

#include "experiments/common/flags.h"
#include "experiments/common/main.h"
#include "experiments/common/overview.h"
#include "experiments/registry.h"

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;  // NOLINT
  ParseFlags(argc, argv,
             "Makes every table and figure, and the report README.md, from the "
             "records in --results_dir.");
  const auto settings = CommonSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  const auto experiments = AllExperiments();
  for (const auto& experiment : experiments) {
    const absl::Status status =
        WriteReportFromRecords(*experiment, settings->results_dir);
    if (!status.ok()) return ReportFailure(status);
  }
  const absl::Status overview =
      WriteOverview(experiments, settings->results_dir);
  if (!overview.ok()) return ReportFailure(overview);
  std::printf("tables: %s/tables\nfigures: %s/figures\nreport: %s/README.md\n",
              settings->results_dir.c_str(), settings->results_dir.c_str(),
              settings->results_dir.c_str());
  return kExitDone;
}
