#include "benchmarks/results.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::benchmarks {
namespace {

using ::lipschitz::testing::FailsWith;

// Two measurements as Google Benchmark 1.7 writes them, the first with three
// repetitions and their aggregate, the second in microseconds.
Json Output(double first, double second) {
  Json output = Json::parse(R"({
    "context": {"date": "today", "libtorch": "1.13.1", "num_cpus": 2,
                "host_name": "here"},
    "benchmarks": []})");
  for (const double factor : {1.0, 0.5, 7.0}) {
    output["benchmarks"].push_back({{"name",
                                     "a/width:4/min_time:0.050/repeats:3/"
                                     "real_time"},
                                    {"run_type", "iteration"},
                                    {"repetitions", 3},
                                    {"iterations", 100},
                                    {"real_time", first * factor},
                                    {"cpu_time", 1.0},
                                    {"time_unit", "ms"},
                                    {"flop", 1e9}});
  }
  output["benchmarks"].push_back({{"name", "a/width:4_median"},
                                  {"run_type", "aggregate"},
                                  {"real_time", 1e9},
                                  {"time_unit", "ms"}});
  output["benchmarks"].push_back({{"name", "b/iterations:1/real_time"},
                                  {"run_type", "iteration"},
                                  {"real_time", 1e3 * second},
                                  {"time_unit", "us"}});
  return output;
}

TEST(Results, ARoundCountsWithTheMedianOfItsRepetitions) {
  Results results;
  ASSERT_TRUE(results.AddRound("program", Output(2.0, 4.0)).ok());
  ASSERT_TRUE(results.AddRound("program", Output(3.0, 5.0)).ok());
  const Measurement* const a = results.Find("program:a/width:4");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->milliseconds, (std::vector<double>{2.0, 3.0}));
  EXPECT_DOUBLE_EQ(a->Median(), 2.5);
  EXPECT_EQ(a->counters, (std::map<std::string, double>{{"flop", 1e9}}));
  const Measurement* const b = results.Find("program:b");
  ASSERT_NE(b, nullptr);
  EXPECT_DOUBLE_EQ(b->milliseconds[1], 5.0);
  EXPECT_TRUE(b->counters.empty());
  EXPECT_EQ(results.measurements.size(), 2u);
  EXPECT_EQ(results.Find("b"), nullptr);
}

TEST(Results, TheContextSaysWhatWasMeasuredNotWhenAndWhere) {
  Results results;
  ASSERT_TRUE(results.AddRound("program", Output(2.0, 4.0)).ok());
  EXPECT_EQ(results.context, Json({{"libtorch", "1.13.1"}, {"num_cpus", 2}}));
}

TEST(Results, AreOfOneProcessor) {
  const auto on = [](const char* processor) {
    Json output = Output(2.0, 4.0);
    output["context"]["processor"] = processor;
    return output;
  };
  Results results;
  ASSERT_TRUE(results.AddRound("p", on("fast")).ok());
  EXPECT_TRUE(results.AddRound("q", on("fast")).ok());
  EXPECT_TRUE(FailsWith(results.AddRound("r", on("slow")),
                        absl::StatusCode::kFailedPrecondition,
                        {"r", "slow", "fast"}));
  EXPECT_EQ(results.Find("r:a/width:4"), nullptr);
  EXPECT_EQ(results.context.at("processor"), "fast");
}

TEST(Results, RatiosAreTakenWithinRounds) {
  Results results;
  // The machine is ten times slower in the second round.
  ASSERT_TRUE(results.AddRound("p", Output(2.0, 4.0)).ok());
  ASSERT_TRUE(results.AddRound("p", Output(20.0, 60.0)).ok());
  ASSERT_TRUE(results.AddRound("p", Output(1.0, 7.0)).ok());
  const auto ratio = results.RatioOf("p:b", "p:a/width:4");
  ASSERT_TRUE(ratio.has_value());
  EXPECT_DOUBLE_EQ(ratio->median, 3.0);
  EXPECT_DOUBLE_EQ(ratio->lowest, 2.0);
  EXPECT_DOUBLE_EQ(ratio->highest, 7.0);
  EXPECT_FALSE(results.RatioOf("p:b", "p:c").has_value());
}

TEST(Results, ForgetsOneProgramAlone) {
  Results results;
  ASSERT_TRUE(results.AddRound("step", Output(2.0, 4.0)).ok());
  ASSERT_TRUE(results.AddRound("step_2", Output(2.0, 4.0)).ok());
  results.Forget("step");
  EXPECT_EQ(results.Find("step:b"), nullptr);
  EXPECT_NE(results.Find("step_2:b"), nullptr);
  EXPECT_EQ(results.measurements.size(), 2u);
}

TEST(Results, SurviveTheirFile) {
  Results results;
  ASSERT_TRUE(results.AddRound("p", Output(2.0, 1.0 / 3.0)).ok());
  const std::string path = ::testing::TempDir() + "/results/results.json";
  ASSERT_TRUE(WriteResults(path, results).ok());
  const auto read = ReadResults(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToJson(), results.ToJson());
}

TEST(Results, AFailedMeasurementIsNamed) {
  Json output = Output(1.0, 1.0);
  output["benchmarks"].push_back({{"name", "polar/real_time"},
                                  {"error_occurred", true},
                                  {"error_message", "it is zero"}});
  Results results;
  EXPECT_TRUE(FailsWith(results.AddRound("p", output),
                        absl::StatusCode::kInternal,
                        {"p:polar", "it is zero"}));
}

TEST(Results, OutputWithoutMeasurementsIsAnError) {
  Results results;
  EXPECT_TRUE(FailsWith(
      results.AddRound("p", Json::parse(R"({"context":{},"benchmarks":[]})")),
      absl::StatusCode::kInternal, {"p", "nothing"}));
  EXPECT_TRUE(FailsWith(results.AddRound("p", Json::parse("{}")),
                        absl::StatusCode::kInvalidArgument, {"p", "context"}));
  Json negative = Output(-1.0, 1.0);
  EXPECT_TRUE(FailsWith(results.AddRound("p", negative),
                        absl::StatusCode::kInternal, {"p:a/width:4", "-1"}));
}

TEST(Results, DamagedFilesAreNamed) {
  const std::string path = ::testing::TempDir() + "/damaged.json";
  const auto read = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return ReadResults(path);
  };
  EXPECT_TRUE(FailsWith(read("{\"schema\": 1,"),
                        absl::StatusCode::kInvalidArgument,
                        {path, "not JSON"}));
  EXPECT_TRUE(
      FailsWith(read(R"({"schema": 2, "context": {}, "benchmarks": {}})"),
                absl::StatusCode::kInvalidArgument, {path, "schema"}));
  EXPECT_TRUE(FailsWith(read(R"({"schema": 1, "benchmarks": {}})"),
                        absl::StatusCode::kInvalidArgument, {path, "context"}));
  EXPECT_TRUE(FailsWith(read(R"({"schema": 1, "context": {},
                                 "benchmarks": {"a": {"milliseconds": []}}})"),
                        absl::StatusCode::kInvalidArgument, {path, "a"}));
  EXPECT_TRUE(FailsWith(ReadResults(path + ".missing"),
                        absl::StatusCode::kNotFound, {path + ".missing"}));
}

}  // namespace
}  // namespace lipschitz::benchmarks
