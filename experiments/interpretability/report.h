// Tables and figures of interpretability, from records alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

Table InterpretabilityTable(const std::vector<Record>& records);

// That table, and for every dataset of which a record has pictures a figure,
// STEM_DATASET: a row for every network, the image and a column for every
// target class.
absl::Status WriteInterpretabilityReport(const std::string& results_dir,
                                         const std::string& stem,
                                         const std::vector<Record>& records);

}  // namespace lipschitz::experiments
