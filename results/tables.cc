// bazel run //results:tables: every table, every figure and the
// report again, from the records.
#include <gflags/gflags.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/flags.h"
#include "experiments/common/main.h"
#include "experiments/common/overview.h"
#include "experiments/common/settings.h"
#include "experiments/registry.h"

namespace lipschitz::experiments {
namespace {

// What all experiments' flags say of runs says nothing of tables.
absl::Status Check(const CommonSettings& settings) {
  for (const char* name : {"preset", "seed", "dataset", "data_dir", "threads",
                           "device", "resume", "checkpoint_steps"}) {
    if (!gflags::GetCommandLineFlagInfoOrDie(name).is_default) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--", name, " changes nothing here: the tables are of all records"));
    }
  }
  const std::string records = settings.results_dir + "/records";
  std::error_code error;
  if (!std::filesystem::is_directory(records, error)) {
    return absl::NotFoundError(absl::StrCat(
        "there are no records: ", records,
        " is no folder (--results_dir is the one that holds records/)"));
  }
  return CheckOverviewPlace(settings.results_dir);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  using namespace lipschitz::experiments;  // NOLINT
  ParseFlags(argc, argv,
             "Makes every table and figure, and the report README.md, from the "
             "records in --results_dir.");
  const auto settings = CommonSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  if (const absl::Status checked = Check(*settings); !checked.ok()) {
    return ReportBadInput(checked);
  }
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
