// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "experiments/absolute_value/absolute_value.h"

namespace lipschitz::experiments {
namespace {

// Close enough to 1 to count as it.
constexpr double kReached = 0.999;
// More than rounding errors above a bound.
constexpr double kRounding = 1e-6;

Json Preserving() {
  return {{"activation", {"abs", "maxmin", "groupsort4", "fullsort"}}};
}

}  // namespace

About AbsoluteValueExperiment::Description() const {
  return {
      "Networks of constrained layers and gradient norm preserving activations "
      "represent the optimal critic |x| of the distance between 0 and ±1; "
      "ReLU networks cannot.",
      "A critic with one to three hidden layers of 64 neurons is trained on "
      "the "
      "dual objective, every layer constrained in one of five ways. Its mean "
      "difference on fresh samples, divided by its proven constant, is "
      "compared with the exact distance 1.",
      "Networks are half as wide as the paper's and trained for 500 steps "
      "instead of 3600, which suffices; the learning rate follows a cosine."};
}

std::vector<Finding> AbsoluteValueExperiment::Findings(
    const std::vector<Record>& records) const {
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Finding> findings;
  std::vector<Check> reached;
  for (const char* constraint :
       {"bjorck", "polar", "stiefel", "spectral", "linf"}) {
    Json where = Preserving();
    where["constraint"] = constraint;
    const auto means = MeansOf(quick, where, "wasserstein_estimate");
    if (means.empty()) continue;
    const VariantMean& least = Least(means);
    reached.push_back(
        {absl::StrCat(constraint, ": at least ", Text(least.summary, 5), " of ",
                      means.size(), " variants"),
         least.summary.mean >= kReached});
  }
  AddFinding(
      "Sorting activations and the absolute value reach the distance 1, at "
      "every depth and under every constraint.",
      "absolute_value_bjorck", reached, &findings);

  std::vector<Check> halves;
  const auto shallow =
      MeansOf(quick, {{"activation", "relu"}, {"hidden_layers", 1}},
              "wasserstein_estimate");
  if (!shallow.empty()) {
    const VariantMean& most = Largest(shallow);
    halves.push_back(
        {absl::StrCat("one hidden layer: at most ", Text(most.summary, 5)),
         most.summary.mean <= 0.5 + kRounding});
  }
  const auto deep =
      MeansOf(quick, {{"activation", "relu"}, {"hidden_layers", {2, 3}}},
              "wasserstein_estimate");
  if (!deep.empty()) {
    const VariantMean& most = Largest(deep);
    halves.push_back(
        {absl::StrCat("two and three: at most ", Text(most.summary, 5), " (",
                      NameOf(most.variant), ")"),
         most.summary.mean < kReached - 0.1});
  }
  AddFinding(
      "ReLU networks fall short of it: with one hidden layer at 1/2, as is "
      "proven, and with more layers too.",
      "absolute_value_bjorck", halves, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
