// The record of one run: the only thing that tables and figures are made from.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/training/history.h"

namespace lipschitz::experiments {

// Keeps the order in which keys were added.
using Json = nlohmann::ordered_json;

// Bounds on a network's Lipschitz constant.
struct LipschitzRecord {
  Norm norm = Norm::kL2;
  double upper_bound = 0.0;  // proven: K
  double lower_bound = 0.0;  // attained by a pair of points
};

// [{"step": 100, "loss": ...}, ...].
Json HistoryToJson(const History& history);

// One JSON file, results/records/EXPERIMENT/SLUG-sSEED.json.
struct Record {
  static constexpr int kSchema = 1;

  std::string experiment;
  // The variant and whatever else tells the run from others, for file names.
  std::string slug;
  // What tables group by.
  Json variant = Json::object();
  std::string preset;
  // Empty: none.
  std::string dataset;
  uint64_t seed = 0;
  // "ok" or "failed".
  std::string status = "ok";
  std::string message;
  Metrics metrics;
  // Name → {"norm", "radius" or another abscissa, "value"}.
  Json curves = Json::object();
  std::optional<LipschitzRecord> lipschitz;
  History history;
  // Every setting that the metrics depend on; "version" is the experiment's.
  Json config = Json::object();
  Json environment = Json::object();
  // Of the training.
  double wall_seconds = 0.0;
  // Of the whole run with what is measured, certified and attacked after the
  // training; of one that was resumed at least so many. NaN: not recorded.
  double run_seconds = std::numeric_limits<double>::quiet_NaN();
  // The most memory that the process held by the end of the run, MiB; earlier
  // runs of the same process count. NaN: not recorded.
  double peak_memory_mib = std::numeric_limits<double>::quiet_NaN();
  // Numbers that were trained; none: not recorded.
  std::optional<int64_t> parameters = std::nullopt;

  bool ok() const { return status == "ok"; }
  // run_seconds where they were recorded, else wall_seconds.
  double cost_seconds() const;

  Json ToJson() const;
  // An error that says which key is missing or of the wrong kind.
  static absl::StatusOr<Record> FromJson(const Json& json);
};

// RESULTS_DIR/records/EXPERIMENT/SLUG-sSEED.json.
std::string RecordPath(const std::string& results_dir,
                       const std::string& experiment, const std::string& slug,
                       uint64_t seed);

// Written to a temporary name and renamed.
absl::Status WriteRecord(const std::string& results_dir, const Record& record);

// An error that names the file: NotFound, InvalidArgument for what is not JSON
// or not a record of a known schema.
absl::StatusOr<Record> ReadRecord(const std::string& path);

struct RecordSet {
  std::vector<Record> records;  // in the order of their file names
  // One sentence for every file that could not be used; such files are left
  // alone.
  std::vector<std::string> problems;
};

// Every record of an experiment; none where there is no folder.
RecordSet ReadRecords(const std::string& results_dir,
                      const std::string& experiment);

}  // namespace lipschitz::experiments
