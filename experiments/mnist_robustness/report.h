// Tables and figures of mnist_robustness, from records alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// Every model in both norms, at two radii each.
Table RobustnessTable(const std::vector<Record>& records);

// That table, and for every dataset and norm STEM_DATASET_NORM: a table over
// all radii and a figure of certified and attacked accuracy.
absl::Status WriteRobustnessReport(const std::string& results_dir,
                                   const std::string& stem,
                                   const std::vector<Record>& records);

}  // namespace lipschitz::experiments
