#include "experiments/common/record.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// JSON has no NaN; null stands for it.
double NumberOrNan(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN()
                        : json.get<double>();
}

Metrics MetricsFromJson(const Json& json) {
  Metrics metrics;
  for (const auto& [name, value] : json.items()) {
    metrics[name] = NumberOrNan(value);
  }
  return metrics;
}

// Throws what nlohmann throws; FromJson catches.
Record Parse(const Json& json) {
  Record record;
  record.experiment = json.at("experiment").get<std::string>();
  record.slug = json.at("slug").get<std::string>();
  record.variant = json.at("variant");
  record.preset = json.at("preset").get<std::string>();
  if (!json.at("dataset").is_null()) {
    record.dataset = json.at("dataset").get<std::string>();
  }
  record.seed = json.at("seed").get<uint64_t>();
  record.status = json.at("status").get<std::string>();
  record.message = json.at("message").get<std::string>();
  record.metrics = MetricsFromJson(json.at("metrics"));
  record.curves = json.at("curves");
  const Json& lipschitz = json.at("lipschitz");
  if (!lipschitz.is_null()) {
    LipschitzRecord bounds;
    const auto norm = ParseNorm(lipschitz.at("norm").get<std::string>());
    if (!norm.ok()) throw std::invalid_argument(std::string(norm.status().message()));
    bounds.norm = *norm;
    bounds.upper_bound = NumberOrNan(lipschitz.at("upper_bound"));
    bounds.lower_bound = NumberOrNan(lipschitz.at("lower_bound"));
    record.lipschitz = bounds;
  }
  for (const Json& entry : json.at("history")) {
    HistoryEntry history;
    history.step = entry.at("step").get<int64_t>();
    for (const auto& [name, value] : entry.items()) {
      if (name != "step") history.metrics[name] = NumberOrNan(value);
    }
    record.history.push_back(history);
  }
  record.config = json.at("config");
  record.environment = json.at("environment");
  record.wall_seconds = NumberOrNan(json.at("wall_seconds"));
  return record;
}

}  // namespace

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
  json["history"] = Json::array();
  for (const HistoryEntry& entry : history) {
    Json item = {{"step", entry.step}};
    for (const auto& [name, value] : entry.metrics) item[name] = value;
    json["history"].push_back(item);
  }
  json["config"] = config;
  json["environment"] = environment;
  json["wall_seconds"] = wall_seconds;
  return json;
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
  return WriteFileAtomically(
      RecordPath(results_dir, record.experiment, record.slug, record.seed),
      record.ToJson().dump() + "\n");
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
