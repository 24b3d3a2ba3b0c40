// results/README.md: what was claimed, and what the records say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"

namespace lipschitz::experiments {

// The page for `experiments` (Markdown) and their records below `results_dir`;
// links are relative to that folder, and lead to no figure that is not there.
// Internal, with its file's name, where a record lacks what the page needs.
absl::StatusOr<std::string> OverviewPage(
    const std::vector<std::unique_ptr<Experiment>>& experiments,
    const std::string& results_dir);

// FailedPrecondition where RESULTS_DIR/README.md is there and is no such page:
// it may be somebody's work.
absl::Status CheckOverviewPlace(const std::string& results_dir);

// RESULTS_DIR/README.md, after CheckOverviewPlace.
absl::Status WriteOverview(
    const std::vector<std::unique_ptr<Experiment>>& experiments,
    const std::string& results_dir);

}  // namespace lipschitz::experiments
