// Tables and figures of gradient_norm, from records alone.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// {"sigma": [0, 0.025, ..., 1], "share": [...]}: the share of the values that
// are nearest to each; those above 1 count as 1.
Json HistogramOf(const torch::Tensor& values);

Table GradientNormTable(const std::vector<Record>& records);

// That table, and for every constraint and task two figures of the first seed
// there is: STEM_CONSTRAINT_TASK_layers, gradient norms layer by layer, and
// STEM_CONSTRAINT_TASK_jacobian, histograms of the Jacobian's singular values;
// both before and after training.
absl::Status WriteGradientNormReport(const std::string& results_dir,
                                     const std::string& stem,
                                     const std::vector<Record>& records);

}  // namespace lipschitz::experiments
