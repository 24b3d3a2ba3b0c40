// What a cheaper way to orthonormal weights costs in the result: concentric
// shells told apart under bjorck, polar and stiefel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"
#include "lipschitz/training/schedule.h"

namespace lipschitz::experiments {

// One training; equal for all variants of a preset.
struct OrthonormalTraining {
  // Shells of radius 1, 2, ..., classes.
  int64_t dim = 8;
  int64_t classes = 2;
  std::vector<int64_t> hidden = {64, 64};
  int64_t steps = 1000;
  int64_t batch_size = 128;
  double learning_rate = 0.01;
  LearningRateSchedule schedule;
  // Directions of the test set; each gives one point of every shell.
  int64_t test_directions = 5000;

  static OrthonormalTraining ForPreset(Preset preset);
};

struct OrthonormalTrainingSettings {
  // A constraint; "stiefel_ambient" is stiefel without the projection of the
  // gradient on the tangent space.
  std::vector<std::string> constraints = {"bjorck", "polar", "stiefel",
                                          "stiefel_ambient"};
  std::vector<std::string> activations = {"maxmin", "groupsort4", "relu"};

  // What replaces the preset's value.
  std::optional<int64_t> steps;
  std::optional<double> learning_rate;
};

class OrthonormalTrainingExperiment : public Experiment {
 public:
  explicit OrthonormalTrainingExperiment(
      OrthonormalTrainingSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "orthonormal_training"; }
  std::string headline_metric() const override { return "mean_margin"; }
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
  OrthonormalTrainingSettings settings_;
};

}  // namespace lipschitz::experiments
