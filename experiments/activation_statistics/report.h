// Tables and figures of activation_statistics, from records alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

Table ActivationStatisticsTable(const std::vector<Record>& records);

// That table, and a figure for every dataset, STEM_DATASET, of the first seed
// there is: the undead rate of every layer over the threshold, and rates over
// training.
absl::Status WriteActivationStatisticsReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records);

}  // namespace lipschitz::experiments
