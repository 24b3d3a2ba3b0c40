// What a Lipschitz constraint costs in accuracy: digits classified under every
// constraint and activation.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/experiment.h"

namespace lipschitz::experiments {

struct ClassificationSettings {
  // "none", "dropout" and "jacobian" (penalty on the input Jacobian) leave the
  // weights free.
  std::vector<std::string> constraints = {"none",     "dropout",  "jacobian",
                                          "stiefel",  "spectral", "parseval",
                                          "linf_rows"};
  std::vector<std::string> activations = {"relu", "maxmin", "groupsort4",
                                          "fullsort", "maxout"};

  // In every run.
  RecipeChanges changes;
};

class MnistClassificationExperiment : public Experiment {
 public:
  explicit MnistClassificationExperiment(ClassificationSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "mnist_classification"; }
  std::string headline_metric() const override { return "test_accuracy"; }
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
  ClassificationSettings settings_;
};

}  // namespace lipschitz::experiments
