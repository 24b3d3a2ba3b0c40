// Tables and figures of function_fitting, from records alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// Every variant, in the order of functions, constraints, sizes, activations.
Table FittingTable(const std::vector<Record>& records);

// That table; STEM_fits, the functions on the line with their fits; and
// STEM_scaling_FUNCTION_CONSTRAINT, the error over width, where there are
// several widths.
absl::Status WriteFittingReport(const std::string& results_dir,
                                const std::string& stem,
                                const std::vector<Record>& records);

}  // namespace lipschitz::experiments
