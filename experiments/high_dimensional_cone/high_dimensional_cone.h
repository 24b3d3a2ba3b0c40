// The Wasserstein distance between a sphere in many dimensions and its centre.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/critic_experiment.h"

namespace lipschitz::experiments {

// P: the unit sphere of R^d, Q: its centre. The optimal critic is the distance
// from the centre, a cone whose gradient takes every direction.
class HighDimensionalConeExperiment : public CriticExperiment {
 public:
  explicit HighDimensionalConeExperiment(CriticSettings settings = {})
      : CriticExperiment(std::move(settings)) {}

  std::string name() const override { return "high_dimensional_cone"; }
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;
  // Of the anchor's dimension.
  std::optional<std::string> MetricFor(const Anchor& anchor,
                                       const Record& record) const override;

  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 protected:
  absl::StatusOr<std::vector<CriticRun>> Runs(
      const CommonSettings& common) const override;
  int version() const override { return 1; }
  std::string table_title() const override {
    return "W1 between the unit sphere of R^d and its centre";
  }
  std::vector<std::pair<std::string, std::string>> table_keys() const override {
    return {{"dimension", "d"},
            {"hidden_layers", "hidden layers"},
            {"constraint", "constraint"},
            {"activation", "activation"}};
  }
  size_t compared_within() const override { return 1; }
};

}  // namespace lipschitz::experiments
