// bazel run //results:tables: every table and figure again, from the records.
#include <cstdio>
#include <string>

#include "experiments/common/flags.h"
#include "experiments/common/main.h"
#include "experiments/registry.h"

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;  // NOLINT
  ParseFlags(argc, argv,
             "Makes every table and figure from the records in --results_dir.");
  const auto settings = CommonSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  for (const auto& experiment : AllExperiments()) {
    const absl::Status status =
        WriteReportFromRecords(*experiment, settings->results_dir);
    if (!status.ok()) return ReportFailure(status);
  }
  std::printf("tables: %s/tables\nfigures: %s/figures\n",
              settings->results_dir.c_str(), settings->results_dir.c_str());
  return kExitDone;
}
