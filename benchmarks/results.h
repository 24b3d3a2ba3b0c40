// What the benchmark programs measured, over several rounds: the only thing
// that benchmarks/README.md is made from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/record.h"

namespace lipschitz::benchmarks {

using experiments::Json;

struct Measurement {
  // The median of the repetitions of every round.
  std::vector<double> milliseconds;
  // "flop", "bytes", "steps", ...: see benchmarks/program.h.
  std::map<std::string, double> counters;

  double Median() const;
};

// A quotient taken within every round, where both sides met the same machine.
struct Ratio {
  double median = 0.0;
  double lowest = 0.0;
  double highest = 0.0;
  size_t rounds = 1;
};

struct Results {
  static constexpr int kSchema = 1;

  // The machine and the versions.
  Json context = Json::object();
  // By "PROGRAM:NAME".
  std::map<std::string, Measurement> measurements;

  // Adds the JSON that Google Benchmark, or compare_pytorch.py, wrote in one
  // round. A measurement that failed is an error that names it, one on another
  // processor than the earlier ones an error that names both.
  absl::Status AddRound(const std::string& program, const Json& output);

  // Drops what the program measured.
  void Forget(const std::string& program);

  // Null where it was not measured.
  const Measurement* Find(const std::string& name) const;
  // Its milliseconds over the rounds, as a quotient by one.
  std::optional<Ratio> ValueOf(const std::string& name) const;
  std::optional<Ratio> RatioOf(const std::string& numerator,
                               const std::string& denominator) const;

  Json ToJson() const;
  // An error that says what is missing or of the wrong kind.
  static absl::StatusOr<Results> FromJson(const Json& json);
};

// Of at least one value.
double MedianOf(std::vector<double> values);

// A file that holds ToJson. Errors name it.
absl::StatusOr<Results> ReadResults(const std::string& path);
absl::Status WriteResults(const std::string& path, const Results& results);

}  // namespace lipschitz::benchmarks
