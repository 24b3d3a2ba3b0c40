// The Wasserstein distance between two images: a white square and black.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/common/critic_experiment.h"

namespace lipschitz::experiments {

// P: the image of 64×64 pixels with a white square of 35×35 in its middle, Q:
// the black one. Their distance is 35, and what is measured is in how few steps
// a critic finds it. The task is that of deel-torchlip's notebook.
class SquaresExperiment : public CriticExperiment {
 public:
  explicit SquaresExperiment(CriticSettings settings = {})
      : CriticExperiment(std::move(settings)) {}

  std::string name() const override { return "squares"; }

  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 protected:
  absl::StatusOr<std::vector<CriticRun>> Runs(
      const CommonSettings& common) const override;
  int version() const override { return 1; }
  std::string table_title() const override {
    return "W1 between a white square and black";
  }
  std::vector<std::pair<std::string, std::string>> table_keys() const override {
    return {{"constraint", "constraint"}, {"activation", "activation"}};
  }
};

}  // namespace lipschitz::experiments
