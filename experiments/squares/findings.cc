// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "experiments/squares/squares.h"

namespace lipschitz::experiments {

About SquaresExperiment::Description() const {
  return {
      "A critic of proven constant 1 finds the distance between two images in "
      "a few steps.",
      "Critics 4096-128-64-32-1 are trained for 160 steps between a white "
      "square on black and black. Their difference, divided by their proven "
      "constant, is compared with the exact distance 35.",
      "The task is not the paper's: it is deel-torchlip's, whose constant is "
      "measured and not proven."};
}

std::vector<Finding> SquaresExperiment::Findings(
    const std::vector<Record>& records) const {
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Finding> findings;
  std::vector<Check> reached;
  for (const char* constraint : {"stiefel", "polar", "spectral"}) {
    const auto means =
        MeansOf(quick, {{"constraint", constraint}}, "wasserstein_estimate");
    if (means.empty()) continue;
    const VariantMean& least = Least(means);
    reached.push_back(
        {absl::StrCat(constraint, ": at least ", Text(least.summary, 4), " of ",
                      means.size(), " activations"),
         least.summary.mean >= 34.99});
  }
  AddFinding("160 steps find 34.99 of the distance 35.", name(), reached,
             &findings);
  return findings;
}

}  // namespace lipschitz::experiments
