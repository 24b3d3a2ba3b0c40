// The paper's first experiment: the Wasserstein distance between 0 and ±1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/training/schedule.h"

namespace lipschitz::experiments {

// One training; equal for all variants of a preset.
struct AbsoluteValueTraining {
  int64_t width = 64;
  int64_t steps = 500;
  // Samples of each distribution per step.
  int64_t batch_size = 64;
  double learning_rate = 0.03;
  LearningRateSchedule schedule;
  double max_grad_norm = 10.0;
  // See ConstraintOptions; false is the authors' behaviour.
  bool rescale_raw = true;
  // Fresh samples of each distribution for the estimate, half of them the
  // mirror images of the others: both ends then weigh the same, and a critic
  // that is steep on one side only gains nothing from their random numbers.
  int64_t test_samples = 20000;

  static AbsoluteValueTraining ForPreset(Preset preset);
};

struct AbsoluteValueSettings {
  std::vector<std::string> activations = {"relu",   "leaky_relu", "abs",
                                          "maxmin", "groupsort4", "fullsort",
                                          "maxout", "crelu"};
  std::vector<std::string> constraints = {"bjorck", "stiefel", "polar",
                                          "spectral", "linf"};
  std::vector<int64_t> hidden_layers = {1, 2, 3};

  // What replaces the preset's value.
  std::optional<int64_t> width;
  std::optional<int64_t> steps;
  std::optional<int64_t> batch_size;
  std::optional<double> learning_rate;
  std::optional<bool> rescale_raw;
};

class AbsoluteValueExperiment : public Experiment {
 public:
  explicit AbsoluteValueExperiment(AbsoluteValueSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "absolute_value"; }
  std::string headline_metric() const override {
    return "wasserstein_estimate";
  }
  absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& common) const override;
  Table MakeTable(const std::vector<Record>& records) const override;
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;
  // An upper bound is that of ReLU networks with one hidden layer.
  std::optional<std::string> MetricFor(const Anchor& anchor,
                                       const Record& record) const override;

  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 private:
  AbsoluteValueSettings settings_;
};

}  // namespace lipschitz::experiments
