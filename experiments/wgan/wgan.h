// WGANs whose critic is held near a Lipschitz constant of 1 in three ways, and
// how near their images come to the data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct WganSettings {
  // wgan, wgan_gp, lwgan, and real: images of the dataset itself, as the floor
  // of every measure. Empty: all.
  std::vector<std::string> kinds;

  // What replaces the preset's value in every run.
  std::optional<int64_t> iterations;
  std::optional<int64_t> critic_steps;
  std::optional<double> generator_learning_rate;
  std::optional<double> critic_learning_rate;
};

class WganExperiment : public Experiment {
 public:
  explicit WganExperiment(WganSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "wgan"; }
  std::string headline_metric() const override { return "frechet_distance"; }
  absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& common) const override;
  Table MakeTable(const std::vector<Record>& records) const override;
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;
  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 private:
  WganSettings settings_;
};

}  // namespace lipschitz::experiments
