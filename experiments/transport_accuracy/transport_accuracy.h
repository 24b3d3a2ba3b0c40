// How much of the exact Wasserstein distance of samples a certified critic
// finds.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/common/critic_experiment.h"

namespace lipschitz::experiments {

// 512 samples a side of two Gaussian mixtures, in 2 and in 16 dimensions, and
// of images of the classes 0 to 4 against those of 5 to 9. The exact distance
// of these samples comes from the linear program.
class TransportAccuracyExperiment : public CriticExperiment {
 public:
  explicit TransportAccuracyExperiment(CriticSettings settings = {})
      : CriticExperiment(std::move(settings)) {}

  std::string name() const override { return "transport_accuracy"; }
  std::string headline_metric() const override { return "estimate_over_exact"; }

  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 protected:
  absl::StatusOr<std::vector<CriticRun>> Runs(
      const CommonSettings& common) const override;
  int version() const override { return 1; }
  std::string table_title() const override {
    return "Certified and exact W1 of samples";
  }
  std::vector<std::pair<std::string, std::string>> table_keys() const override {
    return {{"samples", "samples"},
            {"constraint", "constraint"},
            {"activation", "activation"}};
  }
  size_t compared_within() const override { return 1; }
  std::vector<std::pair<std::string, Column>> more_metrics() const override;
  std::string more_notes() const override;
};

}  // namespace lipschitz::experiments
