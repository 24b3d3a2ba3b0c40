// The Wasserstein distance between a generator's images and real ones, by
// critics that differ in activation, depth and constraint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct WassersteinEstimationSettings {
  // A generator's file. Empty: those of `kinds`.
  std::string generator;
  // results/generators/DATASET-KIND.lip of the workspace; empty: the preset's.
  std::vector<std::string> kinds;

  // Which critics; empty: the preset's.
  std::vector<std::string> samples;
  std::vector<std::string> networks;
  std::vector<std::string> constraints;
  std::vector<std::string> activations;
  std::vector<int64_t> depths;

  // What replaces the preset's value in every run.
  std::optional<int64_t> width;
  std::optional<int64_t> steps;
  std::optional<int64_t> batch_size;
  std::optional<double> learning_rate;
};

// The smoke preset needs no file: with the dataset `auto` its real images are
// synthetic, and without a generator an untrained one stands in.
class WassersteinEstimationExperiment : public Experiment {
 public:
  explicit WassersteinEstimationExperiment(
      WassersteinEstimationSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "wasserstein_estimation"; }
  std::string headline_metric() const override {
    return "wasserstein_estimate";
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
  WassersteinEstimationSettings settings_;
};

}  // namespace lipschitz::experiments
