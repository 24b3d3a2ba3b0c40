// Universality as a number: networks of proven constant 1 fitted to 1-Lipschitz
// functions, and how the error falls with their size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/common/experiment.h"
#include "lipschitz/optim/optimizer.h"

namespace lipschitz::experiments {

// One training.
struct FunctionFittingTraining {
  int64_t steps = 3000;
  OptimizerKind optimizer = OptimizerKind::kAdam;
  double learning_rate = 0.03;
  // p of the loss, the p-norm of the errors.
  double loss_power = 4.0;
  // Points per side of the grids to train and to test on.
  int64_t training_points = 257;
  // Above 0: every step is trained on so many points, drawn uniformly, in place
  // of the grid, which may miss the tip of a cone.
  int64_t fresh_points = 0;
  // With fresh points: candidates * fresh_points are drawn, and those kept on
  // which the network is the farthest from the function.
  int64_t candidates = 1;
  // Networks that are trained, each from weights and on points of its own; the
  // one with the least largest error on further random points is kept.
  int64_t starts = 1;
  int64_t test_points = 8193;

  static FunctionFittingTraining ForPreset(Preset preset,
                                           const std::string& function,
                                           int64_t dim,
                                           const std::string& constraint);
};

// Every combination of its values for which the constraint bounds the network
// in the norm of the function.
struct FunctionFittingGrid {
  std::vector<std::string> functions;
  // Of layers, or "l2_to_linf": a first layer from l2 to linf, then linf_rows.
  std::vector<std::string> constraints;
  std::vector<std::string> activations;
  std::vector<int64_t> widths;
  std::vector<int64_t> hidden_layers;
};

struct FunctionFittingSettings {
  // What replaces the values of the preset's grids, where not empty.
  FunctionFittingGrid replaced;
  // What replaces the preset's value.
  std::optional<int64_t> steps;
  std::optional<OptimizerKind> optimizer;
  std::optional<double> learning_rate;
  std::optional<double> loss_power;
  std::optional<int64_t> fresh_points;
  std::optional<int64_t> candidates;
  std::optional<int64_t> starts;
};

class FunctionFittingExperiment : public Experiment {
 public:
  explicit FunctionFittingExperiment(FunctionFittingSettings settings = {})
      : settings_(std::move(settings)) {}

  std::string name() const override { return "function_fitting"; }
  std::string headline_metric() const override { return "sup_error"; }
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
  FunctionFittingSettings settings_;
};

}  // namespace lipschitz::experiments
