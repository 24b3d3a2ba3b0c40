// What an experiment gives to the programs that run it and report on it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/finding.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "experiments/common/table.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {

// What a run is given beside its own configuration.
struct RunContext {
  uint64_t seed = 0;
  std::string device = "cpu";
  // A run of several trainings puts the others' beside it, at `path` + "-" and
  // more: once the run is recorded and well, all are removed.
  CheckpointOptions checkpoint;
  // Where a run that has a model to save saves it.
  std::string model_path;
  // What the paths of pictures that a run draws itself begin with: they show
  // what no record holds.
  std::string picture_stem;
  std::function<void(const TrainingProgress&)> progress;
  std::function<void(const std::string&)> notice;
  std::function<bool()> stop_requested;
};

// What a run found: the parts of its record that it alone knows.
struct RunOutcome {
  Metrics metrics;
  Json curves = Json::object();
  std::optional<LipschitzRecord> lipschitz;
  History history;
  // Seconds of training over all processes that took part.
  double seconds = 0.0;
  // Numbers that were trained; none where nothing was.
  std::optional<int64_t> parameters = std::nullopt;
  // What the record of a run that is ok should say in words; may be empty.
  std::string message;
  // Not ok when a certificate was broken: the record then keeps the numbers and
  // is marked failed.
  absl::Status verdict;

  // Takes over history, seconds and parameters.
  void SetTraining(const TrainingResult& training);
};

// One run of a plan; it does not depend on the seed.
struct Run {
  std::string slug;   // for file names; see MakeSlug
  std::string label;  // for people
  Json variant;
  Json config;
  std::string dataset;
  // Sentences for the user about what it is made from, told once for a plan,
  // whether its runs are executed or their records are kept.
  std::vector<std::string> notes;
  // Errors other than Cancelled make the record a failed one.
  std::function<absl::StatusOr<RunOutcome>(const RunContext&)> execute;
};

// A number to compare with: a row of results/anchors.csv.
struct Anchor {
  std::string id;
  std::string experiment;
  std::string dataset;
  std::string norm;
  std::optional<double> radius;
  std::string model;
  std::string metric;
  double value = 0.0;
  std::optional<double> spread;
  std::optional<double> seeds;
  // "published", "measured", "unfinished run" (measured, before its end),
  // "exact answer", "upper bound".
  std::string kind;
  std::string source;
};

class Experiment {
 public:
  virtual ~Experiment() = default;

  // The folder's name.
  virtual std::string name() const = 0;

  // The metric that is shown when a run ends.
  virtual std::string headline_metric() const = 0;

  // Every run of one seed, for the preset, and where the experiment has one the
  // dataset, of `settings`. InvalidArgument for settings that make no sense,
  // NotFound for a dataset that is not there.
  virtual absl::StatusOr<std::vector<Run>> Plan(
      const CommonSettings& settings) const = 0;

  // The table of these records.
  virtual Table MakeTable(const std::vector<Record>& records) const = 0;

  // Writes the table and the figures of these records below `results_dir`;
  // their file names begin with `stem`.
  virtual absl::Status WriteReport(
      const std::string& results_dir, const std::string& stem,
      const std::vector<Record>& records) const = 0;

  // The metric of `record`, one of this experiment's, that is to be compared
  // with `anchor`; none where the record is about something else.
  virtual std::optional<std::string> MetricFor(const Anchor& /*anchor*/,
                                               const Record& /*record*/) const {
    return std::nullopt;
  }

  // Itself in prose; empty where nothing was written.
  virtual About Description() const { return {}; }

  // What `records`, all of this experiment (StandardRecords chooses), say of
  // every claim that they speak of; none where it makes no claim.
  virtual std::vector<Finding> Findings(
      const std::vector<Record>& /*records*/) const {
    return {};
  }
};

// Eight hexadecimal digits that follow from `text`, on every machine and in
// every version: FNV-1a.
std::string Digest(const std::string& text);

// `base` for a run of the quick preset; other presets add their name, and
// settings that differ from the preset's add a hash of them, so that no record
// overwrites one of another configuration. Marks `config` as "customised" when
// it differs from `preset_config`.
std::string MakeSlug(const std::string& base, Preset preset,
                     const Json& preset_config, Json* config);

// InvalidArgument, naming what is not known and listing what is, unless every
// one of `asked` is among `known`. `flag` is what they come from.
absl::Status ExpectKnown(const std::string& flag,
                         const std::vector<std::string>& asked,
                         const std::vector<std::string>& known);

// Whether a record's settings are its preset's; only such records enter tables
// and figures.
bool IsStandard(const Record& record);

// The standard records of one preset.
std::vector<Record> StandardRecords(const std::vector<Record>& records,
                                    Preset preset);

// Records of one variant with one configuration, over seeds.
struct VariantRecords {
  Json variant;
  Json config;
  std::string preset;
  std::vector<const Record*> ok;
  std::vector<const Record*> failed;
};

// Grouped by preset, variant and configuration, in the order of first
// appearance. The pointers are into `records`.
std::vector<VariantRecords> GroupByVariant(const std::vector<Record>& records);
std::vector<VariantRecords> GroupByVariant(std::vector<Record>&&) = delete;

// A number of every ok record; NaN are left out.
Summary SummariseRecords(const VariantRecords& group,
                         const std::function<double(const Record&)>& value);

// The values of a metric over the records that have it, failed ones too: for
// what makes a run fail.
Summary SummariseWithFailed(const VariantRecords& group,
                            const std::string& metric);

// The values of a metric over the ok records.
Summary SummariseMetric(const VariantRecords& group, const std::string& metric);

// "0.123 to 0.456": the metrics "interval_lower" and "interval_upper" of the ok
// records, averaged; empty where no record has them.
std::string IntervalText(const VariantRecords& group);

// The proven constants K of the ok records, and the slopes that were attained.
Summary SummariseUpperBound(const VariantRecords& group);
Summary SummariseLowerBound(const VariantRecords& group);

}  // namespace lipschitz::experiments
