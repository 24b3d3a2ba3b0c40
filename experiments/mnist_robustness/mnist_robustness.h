// How far an image may be changed before the class of a network of proven
// Lipschitz constant changes: certified and attacked accuracy in l2 and linf.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/experiment.h"
#include "experiments/mnist_robustness/evaluation.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"

namespace lipschitz::experiments {

struct RobustnessSettings {
  std::vector<Norm> norms = {Norm::kL2, Norm::kLinf};
  // Names of models; empty: all of the preset.
  std::vector<std::string> models;

  // What replaces the preset's value in every model.
  std::optional<std::vector<int64_t>> hidden;
  std::optional<ActivationSpec> activation;
  RecipeChanges changes;
};

class MnistRobustnessExperiment : public Experiment {
 public:
  explicit MnistRobustnessExperiment(RobustnessSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "mnist_robustness"; }
  std::string headline_metric() const override { return "mean_radius"; }
  absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& common) const override;
  Table MakeTable(const std::vector<Record>& records) const override;
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;
  std::optional<std::string> MetricFor(const Anchor& anchor,
                                       const Record& record) const override;

  About Description() const override;
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override;

 private:
  RobustnessSettings settings_;
};

}  // namespace lipschitz::experiments
