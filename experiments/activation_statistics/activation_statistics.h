// How often the units of networks under a tighter and tighter Lipschitz
// constraint are active.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct ActivationStatisticsSettings {
  // Of those of the experiment; empty: all.
  std::vector<std::string> activations;
  // Constants of the preset, as text ("0.1"), or "free"; empty: all.
  std::vector<std::string> constants;

  // What replaces the preset's value in every run.
  std::optional<int64_t> epochs;
  std::optional<double> learning_rate;
};

class ActivationStatisticsExperiment : public Experiment {
 public:
  explicit ActivationStatisticsExperiment(
      ActivationStatisticsSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "activation_statistics"; }
  std::string headline_metric() const override { return "fixed_rate"; }
  absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& common) const override;
  Table MakeTable(const std::vector<Record>& records) const override;
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;

 private:
  ActivationStatisticsSettings settings_;
};

}  // namespace lipschitz::experiments
