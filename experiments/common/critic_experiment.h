// Experiments whose runs each estimate a Wasserstein distance that is known
// exactly, with a critic.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {

// Two distributions, or two fixed sets of samples.
struct CriticProblem {
  Sampler p;
  Sampler q;
  // Defined: the estimate is about these, and the samplers are not used.
  torch::Tensor p_samples;
  torch::Tensor q_samples;
  // W1 in the ground norm of the config.
  double exact = 0.0;
};

struct CriticRun {
  // What tables group by; it has "activation" and "constraint".
  Json variant;
  // Of the quick preset.
  std::string slug;
  std::string dataset;
  // See Run::notes.
  std::vector<std::string> notes;
  // What the problem depends on beside the seed, for the record's config.
  Json problem_config = Json::object();
  WassersteinConfig config;
  // Drawn with the run's seed.
  std::function<absl::StatusOr<CriticProblem>(uint64_t seed)> problem;
  // Optional: adds to the outcome what else is worth knowing about the critic.
  std::function<absl::Status(const CriticProblem&, const WassersteinEstimate&,
                             RunOutcome*)>
      examine;
};

// What replaces the preset's values, and which runs are left.
struct CriticSettings {
  // Empty: all. Problems by what the table's first column says of them; only
  // where that column is of the problem (compared_within).
  std::vector<std::string> problems;
  std::vector<std::string> activations;
  std::vector<std::string> constraints;

  std::optional<std::vector<int64_t>> hidden;
  std::optional<int64_t> steps;
  std::optional<int64_t> batch_size;
  std::optional<double> learning_rate;
  std::optional<OptimizerKind> optimizer;
};

class CriticExperiment : public Experiment {
 public:
  explicit CriticExperiment(CriticSettings settings)
      : settings_(std::move(settings)) {}

  std::string headline_metric() const override {
    return "wasserstein_estimate";
  }
  absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& common) const override;
  Table MakeTable(const std::vector<Record>& records) const override;
  // The table and a figure: the share of the exact distance, a panel for every
  // problem.
  absl::Status WriteReport(const std::string& results_dir,
                           const std::string& stem,
                           const std::vector<Record>& records) const override;
  // The estimate, for anchors about it.
  std::optional<std::string> MetricFor(const Anchor& anchor,
                                       const Record& record) const override;

 protected:
  // Every run of the preset.
  virtual absl::StatusOr<std::vector<CriticRun>> Runs(
      const CommonSettings& common) const = 0;
  // Raised when a change to the code changes the metrics of a run.
  virtual int version() const = 0;
  virtual std::string table_title() const = 0;
  // Keys of the variant and their columns.
  virtual std::vector<std::pair<std::string, std::string>> table_keys()
      const = 0;
  // How many of these, the first ones, are of the problem: rows that differ in
  // them are not compared.
  virtual size_t compared_within() const { return 0; }
  // Metrics that `examine` adds and their columns, and what there is to say of
  // them below the table.
  virtual std::vector<std::pair<std::string, Column>> more_metrics() const {
    return {};
  }
  virtual std::string more_notes() const { return ""; }

 private:
  CriticSettings settings_;
};

// The value of a variant's key as text.
std::string VariantText(const Json& variant, const std::string& key);

}  // namespace lipschitz::experiments
