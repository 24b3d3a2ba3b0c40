#include "experiments/common/record.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// The parsing functions throw std::invalid_argument with a sentence that names
// the key; FromJson catches.
using KindTest = bool (Json::*)() const;

const Json& Member(const Json& json, const char* key, KindTest is_kind,
                   const char* kind) {
  const auto found = json.find(key);
  if (found == json.end()) {
    throw std::invalid_argument(absl::StrCat("'", key, "' is missing"));
  }
  if (!((*found).*is_kind)()) {
    throw std::invalid_argument(absl::StrCat("'", key, "' is not ", kind));
  }
  return *found;
}

std::string Text(const Json& json, const std::string& key) {
  return Member(json, key.c_str(), &Json::is_string, "a text")
      .get<std::string>();
}

const Json& Object(const Json& json, const char* key) {
  return Member(json, key, &Json::is_object, "an object");
}

// JSON has no NaN; null stands for it.
double NumberOrNan(const Json& json, const std::string& key) {
  if (json.contains(key) && json.at(key).is_null()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return Member(json, key.c_str(), &Json::is_number, "a number").get<double>();
}

Metrics MetricsFromJson(const Json& json) {
  Metrics metrics;
  for (const auto& item : json.items()) {
    metrics[item.key()] = NumberOrNan(json, item.key());
  }
  return metrics;
}

HistoryEntry HistoryEntryFromJson(const Json& json) {
  if (!json.is_object()) {
    throw std::invalid_argument("an entry of 'history' is not an object");
  }
  HistoryEntry entry;
  entry.step = Member(json, "step", &Json::is_number_integer, "an integer")
                   .get<int64_t>();
  entry.metrics = MetricsFromJson(json);
  entry.metrics.erase("step");
  return entry;
}

LipschitzRecord LipschitzFromJson(const Json& json) {
  LipschitzRecord bounds;
  const auto norm = ParseNorm(Text(json, "norm"));
  if (!norm.ok()) {
    throw std::invalid_argument(std::string(norm.status().message()));
  }
  bounds.norm = *norm;
  bounds.upper_bound = NumberOrNan(json, "upper_bound");
  bounds.lower_bound = NumberOrNan(json, "lower_bound");
  return bounds;
}

Record Parse(const Json& json) {
  Record record;
  record.experiment = Text(json, "experiment");
  record.slug = Text(json, "slug");
  record.variant = Object(json, "variant");
  record.preset = Text(json, "preset");
  if (!json.contains("dataset") || !json.at("dataset").is_null()) {
    record.dataset = Text(json, "dataset");
  }
  record.seed = Member(json, "seed", &Json::is_number_unsigned,
                       "an integer from 0 to 2^64 - 1")
                    .get<uint64_t>();
  record.status = Text(json, "status");
  if (record.status != "ok" && record.status != "failed") {
    throw std::invalid_argument(absl::StrCat("'status' is '", record.status,
                                             "', neither 'ok' nor 'failed'"));
  }
  record.message = Text(json, "message");
  record.metrics = MetricsFromJson(Object(json, "metrics"));
  record.curves = Object(json, "curves");
  if (!json.contains("lipschitz") || !json.at("lipschitz").is_null()) {
    record.lipschitz = LipschitzFromJson(Object(json, "lipschitz"));
  }
  for (const Json& entry :
       Member(json, "history", &Json::is_array, "an array")) {
    record.history.push_back(HistoryEntryFromJson(entry));
  }
  record.config = Object(json, "config");
  record.environment = Object(json, "environment");
  record.wall_seconds = NumberOrNan(json, "wall_seconds");
  // Not in records of earlier programs.
  for (const auto& [key, field] :
       {std::pair("run_seconds", &record.run_seconds),
        std::pair("peak_memory_mib", &record.peak_memory_mib)}) {
    if (json.contains(key)) *field = NumberOrNan(json, key);
  }
  if (json.contains("parameters")) {
    record.parameters =
        Member(json, "parameters", &Json::is_number_integer, "an integer")
            .get<int64_t>();
  }
  return record;
}

}  // namespace

Json HistoryToJson(const History& history) {
  Json json = Json::array();
  for (const HistoryEntry& entry : history) {
    Json item = {{"step", entry.step}};
    for (const auto& [name, value] : entry.metrics) item[name] = value;
    json.push_back(item);
  }
  return json;
}

Json Record::ToJson() const {
  Json json;
  json["schema"] = kSchema;
  json["experiment"] = experiment;
  json["slug"] = slug;
  json["variant"] = variant;
  json["preset"] = preset;
  json["dataset"] = dataset.empty() ? Json() : Json(dataset);
  json["seed"] = seed;
  json["status"] = status;
  json["message"] = message;
  json["metrics"] = Json(metrics);
  json["curves"] = curves;
  json["lipschitz"] = Json();
  if (lipschitz.has_value()) {
    json["lipschitz"] = {{"norm", NormName(lipschitz->norm)},
                         {"upper_bound", lipschitz->upper_bound},
                         {"lower_bound", lipschitz->lower_bound}};
  }
  json["history"] = HistoryToJson(history);
  json["config"] = config;
  json["environment"] = environment;
  json["wall_seconds"] = wall_seconds;
  if (!std::isnan(run_seconds)) json["run_seconds"] = run_seconds;
  if (!std::isnan(peak_memory_mib)) json["peak_memory_mib"] = peak_memory_mib;
  if (parameters.has_value()) json["parameters"] = *parameters;
  return json;
}

double Record::cost_seconds() const {
  return std::isnan(run_seconds) ? wall_seconds : run_seconds;
}

absl::StatusOr<Record> Record::FromJson(const Json& json) {
  if (!json.is_object() || !json.contains("schema")) {
    return absl::InvalidArgumentError("it is not a record: it has no 'schema'");
  }
  if (json["schema"] != kSchema) {
    return absl::InvalidArgumentError(
        absl::StrCat("its schema is ", json["schema"].dump(),
                     ", this program reads ", kSchema));
  }
  try {
    return Parse(json);
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(FirstLine(e.what()));
  }
}

std::string RecordPath(const std::string& results_dir,
                       const std::string& experiment, const std::string& slug,
                       uint64_t seed) {
  return absl::StrCat(results_dir, "/records/", experiment, "/", slug, "-s",
                      seed, ".json");
}

absl::Status WriteRecord(const std::string& results_dir, const Record& record) {
  // A message may quote a path, and a path need not be UTF-8.
  const std::string text =
      record.ToJson().dump(/*indent=*/-1, ' ', /*ensure_ascii=*/false,
                           Json::error_handler_t::replace);
  return WriteFileAtomically(
      RecordPath(results_dir, record.experiment, record.slug, record.seed),
      text + "\n");
}

absl::StatusOr<Record> ReadRecord(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json json = Json::parse(text, /*callback=*/nullptr,
                                /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the record ", path, " is not JSON"));
  }
  auto record = Record::FromJson(json);
  if (!record.ok()) {
    return WithContext(record.status(),
                       absl::StrCat("the record ", path, " cannot be used"));
  }
  return record;
}

RecordSet ReadRecords(const std::string& results_dir,
                      const std::string& experiment) {
  RecordSet set;
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat(results_dir, "/records/", experiment), error)) {
    const std::string path = entry.path().string();
    if (absl::EndsWith(path, ".json")) paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    auto record = ReadRecord(path);
    if (record.ok()) {
      set.records.push_back(*std::move(record));
    } else {
      set.problems.emplace_back(record.status().message());
    }
  }
  return set;
}

}  // namespace lipschitz::experiments
