// What it says in the report.
#include "experiments/common/findings.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/gradient_norm/gradient_norm.h"

namespace lipschitz::experiments {
namespace {

// The dataset of the classifiers.
std::string ImagesOf(const std::vector<Record>& records) {
  for (const std::string& name : DatasetsOf(records)) {
    if (!name.empty()) return name;
  }
  return "";
}

}  // namespace

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
  // Of every run: one that is off by more is a failed one.
  std::vector<double> deviations;
  for (const VariantRecords& group : GroupByVariant(quick)) {
    if (!HasValues(group.variant,
                   {{"constraint", "stiefel"}, {"activation", sorting}})) {
      continue;
    }
    for (const auto* part : {&group.ok, &group.failed}) {
      for (const Record* record : *part) {
        const auto found =
            record->metrics.find("keeping_deviation_own_trained");
        if (found != record->metrics.end()) {
          deviations.push_back(found->second);
        }
      }
    }
  }
  if (!deviations.empty()) {
    // Not a number counts as the largest.
    const double worst = *std::max_element(
        deviations.begin(), deviations.end(),
        [](double a, double b) { return !std::isnan(a) && !(a >= b); });
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
  std::vector<Check> decay;
  std::vector<Check> isometry;
  std::optional<Summary> shallower;
  for (const int depth : {3, 7, 15, 30}) {
    const auto at_start = MeanOf(quick,
                                 {{"task", "critic"},
                                  {"constraint", "stiefel"},
                                  {"activation", "relu"},
                                  {"hidden_layers", depth}},
                                 "input_gradient_initial");
    if (at_start.has_value()) {
      decay.push_back(
          {absl::StrFormat("%d layers: %.2g", depth, at_start->mean),
           at_start->mean <
               (shallower.has_value() ? shallower->mean : 1.0) / 2.0});
      shallower = at_start;
    }
    const auto least = MeansOf(quick,
                               {{"task", "classifier"},
                                {"constraint", "stiefel"},
                                {"activation", sorting},
                                {"hidden_layers", depth}},
                               "sigma_min_trained");
    if (!least.empty()) {
      const double value = Least(least).summary.mean;
      isometry.push_back(
          {absl::StrFormat("%d layers: the least is %.6f", depth, value),
           value >= 1.0 - 1e-4});
    }
  }
  AddFinding(
      "With ReLU the gradient that reaches the input of a new network at least "
      "halves from depth to depth.",
      "gradient_norm_stiefel_critic_layers", decay, &findings);
  AddFinding(
      "All singular values of a trained sorting classifier's Jacobian are 1.",
      absl::StrCat("gradient_norm_stiefel_", ImagesOf(quick), "_jacobian"),
      isometry, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
