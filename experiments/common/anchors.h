// Published and exact numbers, to compare ours with.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"

namespace lipschitz::experiments {

// The rows of results/anchors.csv, which is built into the program.
const std::vector<Anchor>& AllAnchors();

// The same from a file's content; `name` is what errors call it.
// InvalidArgument for other columns, and for what should be a number and is
// not.
absl::StatusOr<std::vector<Anchor>> ParseAnchors(const std::string& name,
                                                 const std::string& content);

// The verdict on an anchor that is shown and not compared.
inline constexpr char kNoVerdict[] = "–";

// Each of `anchors` beside the best that `records` have in the metric that
// `experiment` answers it with (standard records, quick and paper); no row
// where there is none. Every anchor's metric is one that grows as results get
// better, but for accuracies under attack, which get kNoVerdict, as do anchors
// of runs that were stopped early.
Table AnchorTable(const Experiment& experiment,
                  const std::vector<Anchor>& anchors,
                  const std::vector<Record>& records);

}  // namespace lipschitz::experiments
