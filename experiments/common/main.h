// What is left of a program's main once its flags are parsed.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

// Exit statuses of every program.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadInput = 2;
inline constexpr int kExitInterrupted = 130;

// Prints "ERROR: ..." and returns kExitBadInput for InvalidArgument and
// NotFound, else kExitFailed.
int ReportError(const absl::Status& status);

// The same for what went wrong while running: always kExitFailed.
int ReportFailure(const absl::Status& status);

// Warns once on standard error when the process runs on the reference BLAS.
void WarnAboutBlas();

// After the first Ctrl-C (or SIGTERM) the returned function is true, and the
// program may finish in order; a second one ends it at once.
std::function<bool()> StopOnInterrupt();

// Runs the experiment's plan for one seed, writes records, tables and figures,
// and prints the table of this plan's records to standard output. Returns the
// exit status.
int RunExperiment(const Experiment& experiment, const CommonSettings& settings);

// Tables and figures of one experiment from its standard records below
// `results_dir`, those of every preset but quick under a name of their own
// (NAME_paper); records that cannot be used are named on standard error.
absl::Status WriteReportFromRecords(const Experiment& experiment,
                                    const std::string& results_dir);

}  // namespace lipschitz::experiments
