// What is left of an experiment's main once its flags are parsed; program.h,
// which every main needs, comes with it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/program.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

// Runs the experiment's plan for one seed, writes records, tables and figures,
// and prints the table of this plan's records to standard output. Returns the
// exit status.
int RunExperiment(const Experiment& experiment, const CommonSettings& settings);

// The table of these records, which are below `results_dir`, as text; Internal,
// with its file's name, where one lacks what it needs.
absl::StatusOr<std::string> PrintedTable(const Experiment& experiment,
                                         const std::vector<Record>& records,
                                         const std::string& results_dir);

// Tables and figures of one experiment from its standard records below
// `results_dir`, those of every preset but quick under a name of their own
// (NAME_paper), and the numbers to compare with beside ours (NAME_anchors);
// records that cannot be used are named on standard error. Internal, with its
// file's name, where one lacks what they need.
absl::Status WriteReportFromRecords(const Experiment& experiment,
                                    const std::string& results_dir);

}  // namespace lipschitz::experiments
