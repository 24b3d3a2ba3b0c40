#include "benchmarks/results.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"

namespace lipschitz::benchmarks {
namespace {

// Google Benchmark appends how it measured: "NAME/min_time:0.050/real_time".
std::string PlainName(const std::string& run_name) {
  std::vector<std::string> kept;
  for (const auto& part : absl::StrSplit(run_name, '/')) {
    const std::string text(part);
    if (text == "real_time" || absl::StartsWith(text, "min_time:") ||
        absl::StartsWith(text, "repeats:") ||
        absl::StartsWith(text, "iterations:")) {
      continue;
    }
    kept.push_back(text);
  }
  return absl::StrJoin(kept, "/");
}

// Keys of an entry that are no counters of ours.
bool IsOwnKey(const std::string& key) {
  static const auto& keys =
      *new std::set<std::string>{"repetitions",  "repetition_index",
                                 "threads",      "iterations",
                                 "real_time",    "cpu_time",
                                 "family_index", "per_family_instance_index"};
  return keys.count(key) > 0;
}

constexpr char kProcessor[] = "processor";

// Of the context, what says what was measured; not when and how busy.
bool IsContext(const std::string& key) {
  static const auto& keys =
      *new std::set<std::string>{"libtorch", "blas",     kProcessor, "compiler",
                                 "commit",   "num_cpus", "pytorch",  "python"};
  return keys.count(key) > 0;
}

double InMilliseconds(double time, const std::string& unit) {
  return unit == "ns" ? time * 1e-6 : unit == "us" ? time * 1e-3 : time;
}

absl::Status AddEntries(const std::string& program, const Json& output,
                        std::map<std::string, Measurement>* measurements) {
  std::map<std::string, std::vector<double>> repetitions;
  for (const Json& entry : output.at("benchmarks")) {
    const std::string name = absl::StrCat(
        program, ":", PlainName(entry.at("name").get<std::string>()));
    if (entry.value("error_occurred", false)) {
      return absl::InternalError(absl::StrCat(
          name, " failed: ", entry.value("error_message", "no message")));
    }
    if (entry.value("run_type", "iteration") != "iteration") continue;
    const double time = InMilliseconds(entry.at("real_time").get<double>(),
                                       entry.value("time_unit", "ms"));
    if (!(time > 0.0)) {
      return absl::InternalError(absl::StrCat(name, " took ", time, " ms"));
    }
    repetitions[name].push_back(time);
    for (const auto& [key, value] : entry.items()) {
      if (value.is_number() && !IsOwnKey(key)) {
        (*measurements)[name].counters[key] = value.get<double>();
      }
    }
  }
  if (repetitions.empty()) {
    return absl::InternalError(absl::StrCat(program, " measured nothing"));
  }
  for (const auto& [name, times] : repetitions) {
    (*measurements)[name].milliseconds.push_back(MedianOf(times));
  }
  return absl::OkStatus();
}

// nlohmann's exceptions as a status.
template <typename Function>
absl::Status CatchJson(const std::string& what, const Function& function) {
  try {
    return function();
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", error.what()));
  }
}

// Of at least one value.
Ratio RangeOf(const std::vector<double>& values) {
  return {MedianOf(values), *std::min_element(values.begin(), values.end()),
          *std::max_element(values.begin(), values.end()), values.size()};
}

}  // namespace

double MedianOf(std::vector<double> values) {
  const size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[half]
                                : 0.5 * (values[half - 1] + values[half]);
}

double Measurement::Median() const { return MedianOf(milliseconds); }

absl::Status Results::AddRound(const std::string& program, const Json& output) {
  return CatchJson(absl::StrCat("the output of ", program), [&] {
    const Json& machine = output.at("context");
    if (!measurements.empty() && machine.contains(kProcessor) &&
        context.contains(kProcessor) &&
        machine.at(kProcessor) != context.at(kProcessor)) {
      return absl::FailedPreconditionError(absl::StrCat(
          program, " ran on ", machine.at(kProcessor).dump(),
          ", but the earlier results are of ", context.at(kProcessor).dump(),
          ": times of different machines do not belong on one page; measure "
          "all programs"));
    }
    for (const auto& [key, value] : machine.items()) {
      if (IsContext(key)) context[key] = value;
    }
    return AddEntries(program, output, &measurements);
  });
}

void Results::Forget(const std::string& program) {
  for (auto it = measurements.begin(); it != measurements.end();) {
    it = absl::StartsWith(it->first, program + ":") ? measurements.erase(it)
                                                    : std::next(it);
  }
}

const Measurement* Results::Find(const std::string& name) const {
  const auto it = measurements.find(name);
  return it == measurements.end() ? nullptr : &it->second;
}

std::optional<Ratio> Results::ValueOf(const std::string& name) const {
  const Measurement* const found = Find(name);
  if (found == nullptr || found->milliseconds.empty()) return std::nullopt;
  return RangeOf(found->milliseconds);
}

std::optional<Ratio> Results::RatioOf(const std::string& numerator,
                                      const std::string& denominator) const {
  const Measurement* const above = Find(numerator);
  const Measurement* const below = Find(denominator);
  if (above == nullptr || below == nullptr) return std::nullopt;
  const size_t rounds =
      std::min(above->milliseconds.size(), below->milliseconds.size());
  std::vector<double> ratios;
  for (size_t i = 0; i < rounds; ++i) {
    ratios.push_back(above->milliseconds[i] / below->milliseconds[i]);
  }
  if (ratios.empty()) return std::nullopt;
  return RangeOf(ratios);
}

Json Results::ToJson() const {
  Json entries = Json::object();
  for (const auto& [name, measurement] : measurements) {
    entries[name] = {{"milliseconds", measurement.milliseconds}};
    if (!measurement.counters.empty()) {
      entries[name]["counters"] = measurement.counters;
    }
  }
  return {{"schema", kSchema}, {"context", context}, {"benchmarks", entries}};
}

absl::StatusOr<Results> Results::FromJson(const Json& json) {
  Results results;
  const absl::Status status = CatchJson("benchmark results", [&] {
    const int schema = json.at("schema").get<int>();
    if (schema != kSchema) {
      return absl::InvalidArgumentError(
          absl::StrCat("the schema is ", schema, ", expected ", kSchema));
    }
    results.context = json.at("context");
    for (const auto& [name, entry] : json.at("benchmarks").items()) {
      Measurement measurement;
      entry.at("milliseconds").get_to(measurement.milliseconds);
      if (measurement.milliseconds.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, " has no measurement"));
      }
      if (entry.contains("counters")) {
        entry.at("counters").get_to(measurement.counters);
      }
      results.measurements[name] = measurement;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return results;
}

absl::StatusOr<Results> ReadResults(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not JSON"));
  }
  auto results = Results::FromJson(json);
  if (!results.ok()) return WithContext(results.status(), path);
  return results;
}

absl::Status WriteResults(const std::string& path, const Results& results) {
  return WriteFileAtomically(path, results.ToJson().dump(1) + "\n");
}

}  // namespace lipschitz::benchmarks
