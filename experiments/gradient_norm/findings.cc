// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/gradient_norm/gradient_norm.h"

namespace lipschitz::experiments {

About GradientNormExperiment::Description() const {
  return {
      "Orthonormal weights and sorting activations keep the norm of gradients "
      "at every layer; with ReLU it decays.",
      "Critics and classifiers of growing depth are measured before their "
      "first step and after their last one: the gradient's norm at every "
      "layer, the singular values of the Jacobian, and the largest slope that "
      "a search finds.",
      "Quick networks are 64 wide and at most 30 deep; every layer that cannot "
      "narrow is checked to 1e-4, which the paper does not do."};
}

std::vector<Finding> GradientNormExperiment::Findings(
    const std::vector<Record>& records) const {
  std::vector<Finding> findings;
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Check> keeps;
  const Json sorting = {"maxmin", "groupsort4", "fullsort", "abs"};
  const auto deviations =
      MeansOf(quick, {{"activation", sorting}}, "keeping_deviation_trained");
  if (!deviations.empty()) {
    const double worst = Largest(deviations).summary.mean;
    keeps.push_back(
        {absl::StrFormat("largest deviation %.1e", worst), worst <= 1e-4});
  }
  AddFinding(
      "After training, gradients keep their norm within 1e-4 through every "
      "layer of orthonormal rows behind sorting activations.",
      "gradient_norm_stiefel_critic_layers", keeps, &findings);
  std::vector<Check> tight;
  for (const int depth : {3, 7, 15, 30}) {
    const auto tightness = [&](const std::string& activation) {
      return MeanOf(quick,
                    {{"task", "critic"},
                     {"constraint", "stiefel"},
                     {"activation", activation},
                     {"hidden_layers", depth}},
                    "tightness");
    };
    const auto relu = tightness("relu");
    const auto maxmin = tightness("maxmin");
    if (!relu.has_value() || !maxmin.has_value()) continue;
    tight.push_back({absl::StrFormat("%d layers: MaxMin uses %.3f of its "
                                     "constant, ReLU %.3f",
                                     depth, maxmin->mean, relu->mean),
                     maxmin->mean > relu->mean && maxmin->mean > 0.95});
  }
  AddFinding(
      "Critics with sorting activations use their whole constant, those with "
      "ReLU less.",
      "gradient_norm_stiefel_critic_layers", tight, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
