// How well classifiers under a Lipschitz constraint generalise from few images.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct SmallDataSettings {
  // Training images; every one a multiple of the number of classes. Empty: the
  // preset's.
  std::vector<int64_t> images;
  // Names of models (lenet_rko_maxmin, ...); empty: all.
  std::vector<std::string> models;

  // In every run; offset and temperature in those of constrained models.
  // held_out is of images outside every training subset, on which settings are
  // compared instead of the test images.
  RecipeChanges changes;
};

class SmallDataExperiment : public Experiment {
 public:
  explicit SmallDataExperiment(SmallDataSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "small_data"; }
  std::string headline_metric() const override {
    return settings_.changes.held_out ? "validation_accuracy" : "test_accuracy";
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
  SmallDataSettings settings_;
};

}  // namespace lipschitz::experiments
