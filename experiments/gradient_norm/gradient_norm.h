// How much of the gradient reaches each layer, before and after training, for
// several activations and depths.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct GradientNormSettings {
  // "critic", "classifier"; empty: both.
  std::vector<std::string> tasks;
  // Empty: all.
  std::vector<std::string> activations;
  // "stiefel", "bjorck", and numbers of hidden layers; empty: the preset's.
  std::vector<std::string> constraints;
  std::vector<int64_t> depths;
  // Of every hidden layer, in place of the preset's.
  std::optional<int64_t> width;
};

class GradientNormExperiment : public Experiment {
 public:
  explicit GradientNormExperiment(GradientNormSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "gradient_norm"; }
  std::string headline_metric() const override {
    return "input_gradient_trained";
  }
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
  GradientNormSettings settings_;
};

}  // namespace lipschitz::experiments
