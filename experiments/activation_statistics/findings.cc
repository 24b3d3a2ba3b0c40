// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/activation_statistics/activation_statistics.h"

namespace lipschitz::experiments {

About ActivationStatisticsExperiment::Description() const {
  return {
      "Under a tight Lipschitz constraint ReLU units stay active on nearly all "
      "inputs, and the network turns linear.",
      "Classifiers with orthonormal weights and a constant from 0.1 to 100 are "
      "trained with the cross-entropy of their logits. On all test images it "
      "is counted how often every unit is active.",
      "Quick networks have 128 units a layer and train on 20000 images."};
}

std::vector<Finding> ActivationStatisticsExperiment::Findings(
    const std::vector<Record>& records) const {
  std::vector<Finding> findings;
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  for (const std::string& dataset : DatasetsOf(quick)) {
    const std::vector<Record> part = OfDataset(quick, dataset);
    const auto relu = [&](const std::string& constant,
                          const std::string& metric) {
      return MeanOf(part,
                    {{"activation", "relu"}, {"lipschitz_constant", constant}},
                    metric);
    };
    std::vector<Check> checks;
    for (const auto& [metric, what] :
         {std::pair("undead_rate_trained", "undead units"),
          std::pair("fixed_rate_trained",
                    "units that are active or not on nearly "
                    "all images")}) {
      const auto tight = relu("0.1", metric);
      const auto loose = relu("100", metric);
      if (!tight.has_value() || !loose.has_value()) continue;
      checks.push_back(
          {absl::StrFormat("%s: %s %.2f with K = 0.1, %.2f with K = 100",
                           dataset, what, tight->mean, loose->mean),
           ClearlyAbove(*tight, *loose)});
    }
    AddFinding(
        "The tighter the constraint, the more ReLU units are active on nearly "
        "all inputs.",
        absl::StrCat("activation_statistics_", dataset), checks, &findings);
  }
  return findings;
}

}  // namespace lipschitz::experiments
