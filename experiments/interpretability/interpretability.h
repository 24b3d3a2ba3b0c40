// What input gradients of classifiers look like, with and without a Lipschitz
// constraint.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct InterpretabilitySettings {
  // Names of models; empty: all.
  std::vector<std::string> models;

  // What replaces the preset's value in every run.
  std::optional<int64_t> epochs;
  std::optional<double> learning_rate;
  std::optional<double> step;
  std::optional<int64_t> most_steps;
};

class InterpretabilityExperiment : public Experiment {
 public:
  explicit InterpretabilityExperiment(InterpretabilitySettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "interpretability"; }
  std::string headline_metric() const override { return "median_steps"; }
  absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& common) const override;
  Table MakeTable(const std::vector<Record>& records) const override;
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;

 private:
  InterpretabilitySettings settings_;
};

}  // namespace lipschitz::experiments
