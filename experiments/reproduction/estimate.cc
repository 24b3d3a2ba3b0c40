#include "experiments/reproduction/estimate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "experiments/common/experiment.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {
namespace {

std::string ExperimentKey(const std::string& experiment,
                          const std::string& preset) {
  return absl::StrCat(experiment, "\n", preset);
}

std::string ConfigurationKey(const std::string& experiment,
                             const std::string& preset, const Json& variant,
                             const std::string& dataset, const Json& config) {
  return absl::StrCat(ExperimentKey(experiment, preset), "\n", dataset, "\n",
                      variant.dump(), "\n", config.dump());
}

}  // namespace

void CostEstimates::Add(const Record& record) {
  const double seconds = record.cost_seconds();
  if (!record.ok() || std::isnan(seconds)) return;
  const auto add = [&](Mean* mean) {
    mean->sum += seconds;
    ++mean->count;
  };
  add(&of_configuration_[ConfigurationKey(record.experiment, record.preset,
                                          record.variant, record.dataset,
                                          record.config)]);
  if (IsStandard(record)) {
    add(&of_experiment_[ExperimentKey(record.experiment, record.preset)]);
  }
}

std::optional<double> CostEstimates::Seconds(const Task& task) const {
  const std::string preset = PresetName(task.preset);
  const std::string name = task.experiment->name();
  const auto same = of_configuration_.find(ConfigurationKey(
      name, preset, task.run.variant, task.run.dataset, task.run.config));
  if (same != of_configuration_.end()) {
    return same->second.sum / same->second.count;
  }
  const auto similar = of_experiment_.find(ExperimentKey(name, preset));
  if (similar == of_experiment_.end()) return std::nullopt;
  return similar->second.sum / similar->second.count;
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
