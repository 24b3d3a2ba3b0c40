// The Wasserstein distance between three circles and their centres.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/common/critic_experiment.h"

namespace lipschitz::experiments {

// P: circles of radius 1 around (−2, 0), (0, 0) and (2, 0), Q: the centres. The
// optimal critic is the distance from the nearest centre: three cones, of
// gradient norm 1 almost everywhere, which a network of constant 1 only learns
// where it does not lose gradient norm.
class ThreeConesExperiment : public CriticExperiment {
 public:
  explicit ThreeConesExperiment(CriticSettings settings = {})
      : CriticExperiment(std::move(settings)) {}

  std::string name() const override { return "three_cones"; }
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;

  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 protected:
  absl::StatusOr<std::vector<CriticRun>> Runs(
      const CommonSettings& common) const override;
  int version() const override { return 1; }
  std::string table_title() const override {
    return "W1 between three circles and their centres";
  }
  std::vector<std::pair<std::string, std::string>> table_keys() const override {
    return {{"constraint", "constraint"}, {"activation", "activation"}};
  }
};

}  // namespace lipschitz::experiments
