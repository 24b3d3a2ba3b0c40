// Tables and figures of wasserstein_estimation, from records alone.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// By what sorting is to see more than ReLU (results/anchors.csv has what was
// published), and the activations that sort.
inline constexpr double kTargetGain = 1.2;
const std::vector<std::string>& SortingActivations();

// The estimates of `group` over those of `base` with the same seed.
Summary GainOver(const VariantRecords& base, const VariantRecords& group);

// Every variant, by dataset, generator, samples, network, constraint and depth.
Table EstimationTable(const std::vector<Record>& records);

// How the activations compare in each of these: the sorting ones over ReLU,
// seed by seed, and whether fullsort or groupsort ≥ maxmin > relu.
Table OrderingTable(const std::vector<Record>& records);

// The first table; STEM_ordering, the second; and a figure, estimates by
// activation over depth with their intervals, beside the best linear critic's.
absl::Status WriteEstimationReport(const std::string& results_dir,
                                   const std::string& stem,
                                   const std::vector<Record>& records);

}  // namespace lipschitz::experiments
