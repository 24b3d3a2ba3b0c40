// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_format.h"
#include "experiments/orthonormal_training/orthonormal_training.h"

namespace lipschitz::experiments {

About OrthonormalTrainingExperiment::Description() const {
  return {
      "Weights kept on the Stiefel manifold, or made orthonormal by the polar "
      "factor with a gradient in closed form, learn what Björck's iteration "
      "learns.",
      "Two spheres in 8 dimensions are told apart by a network of proven "
      "constant 1, with each of the three. The mean margin on fresh points, "
      "which is at most 1/√2, says how much of its constant it uses.",
      "The paper knows Björck's iteration alone; the other two are faster, and "
      "this experiment is what their use elsewhere rests on."};
}

std::vector<Finding> OrthonormalTrainingExperiment::Findings(
    const std::vector<Record>& records) const {
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Finding> findings;
  std::vector<Check> agree;
  for (const char* activation : {"maxmin", "groupsort4", "relu"}) {
    const auto means = MeansOf(quick,
                               {{"activation", activation},
                                {"constraint", {"bjorck", "polar", "stiefel"}}},
                               "mean_margin");
    if (means.size() < 3) continue;
    const double least = Least(means).summary.mean;
    const double most = Largest(means).summary.mean;
    agree.push_back(
        {absl::StrFormat("%s: %.4f to %.4f", activation, least, most),
         most - least <= 0.002});
  }
  AddFinding(
      "The three ways to orthonormal weights agree within 0.002 in the mean "
      "margin.",
      name(), agree, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
