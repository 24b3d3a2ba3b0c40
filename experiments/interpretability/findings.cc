// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/interpretability/interpretability.h"

namespace lipschitz::experiments {

About InterpretabilityExperiment::Description() const {
  return {
      "Input gradients of networks under a Lipschitz constraint show strokes "
      "of digits, those of standard networks noise.",
      "Five classifiers are compared by their gradients towards every class: "
      "in pictures, by rank correlations with images, and by how often a walk "
      "along them ends at an image that looks like the class it leads to.",
      "The paper shows pictures alone. Quick networks are 128 wide."};
}

std::vector<Finding> InterpretabilityExperiment::Findings(
    const std::vector<Record>& records) const {
  std::vector<Finding> findings;
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  for (const std::string& dataset : DatasetsOf(quick)) {
    const std::vector<Record> part = OfDataset(quick, dataset);
    std::vector<Check> checks;
    for (const auto& [metric, what] :
         {std::pair("correlation_target", "correlation with the change"),
          std::pair("judged_far", "share that looks turned")}) {
      const auto standard = MeanOf(part, {{"model", "standard"}}, metric);
      for (const char* model : {"l2", "linf"}) {
        const auto ours = MeanOf(part, {{"model", model}}, metric);
        if (!standard.has_value() || !ours.has_value()) continue;
        checks.push_back(
            {absl::StrFormat("%s, %s: %s %.3f, standard %.3f", dataset, model,
                             what, ours->mean, standard->mean),
             ClearlyAbove(*ours, *standard)});
      }
    }
    AddFinding(
        "Gradients of constrained networks resemble what they change more than "
        "those of standard networks.",
        absl::StrCat("interpretability_", dataset), checks, &findings);
  }
  return findings;
}

}  // namespace lipschitz::experiments
