#include "experiments/reproduction/estimate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "experiments/common/experiment.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {
namespace {

// What a run may have in common with a record, the closest first.
struct Keys {
  std::string configuration;
  std::string configuration_of_any_dataset;
  std::string experiment;

  Keys(const std::string& name, const std::string& preset, const Json& variant,
       const std::string& dataset, Json config)
      : experiment(absl::StrCat(name, "\n", preset)) {
    const std::string of_variant =
        absl::StrCat(experiment, "\n", variant.dump(), "\n");
    configuration =
        absl::StrCat(of_variant, "dataset ", dataset, "\n", config.dump());
    config.erase("dataset");
    configuration_of_any_dataset = absl::StrCat(of_variant, config.dump());
  }
};

}  // namespace

void CostEstimates::Add(const Record& record) {
  const double seconds = record.cost_seconds();
  if (!record.ok() || std::isnan(seconds)) return;
  const Keys keys(record.experiment, record.preset, record.variant,
                  record.dataset, record.config);
  const auto add = [&](const std::string& key) {
    means_[key].sum += seconds;
    ++means_[key].count;
  };
  add(keys.configuration);
  add(keys.configuration_of_any_dataset);
  if (IsStandard(record)) add(keys.experiment);
}

std::optional<double> CostEstimates::Seconds(const Task& task) const {
  const Keys keys(task.experiment->name(), PresetName(task.preset),
                  task.run.variant, task.run.dataset, task.run.config);
  for (const std::string& key :
       {keys.configuration, keys.configuration_of_any_dataset,
        keys.experiment}) {
    const auto mean = means_.find(key);
    if (mean != means_.end()) return mean->second.sum / mean->second.count;
  }
  return std::nullopt;
}

void Pace::Add(std::optional<double> estimate, double seconds) {
  seconds_ += seconds;
  ++count_;
  if (!estimate) return;
  estimated_ += *estimate;
  measured_ += seconds;
}

std::optional<double> Pace::SecondsLeft(const std::vector<PendingRun>& pending,
                                        int jobs) const {
  const double pace =
      estimated_ > 0.0 && measured_ > 0.0 ? measured_ / estimated_ : 1.0;
  double sum = 0.0;
  double longest = 0.0;
  for (const PendingRun& run : pending) {
    if (!run.estimate && count_ == 0) return std::nullopt;
    const double whole =
        run.estimate ? *run.estimate * pace : seconds_ / count_;
    const double left = std::max(0.0, whole - run.elapsed);
    sum += left;
    longest = std::max(longest, left);
  }
  return std::max(sum / jobs, longest);
}

}  // namespace lipschitz::experiments
