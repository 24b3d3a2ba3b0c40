#include "experiments/common/record.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A folder of this test's own.
std::string Folder() {
  return ::testing::TempDir() + "/record_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

Record Example() {
  Record record;
  record.experiment = "absolute_value";
  record.slug = "maxmin-bjorck-2";
  record.variant = {{"constraint", "bjorck"}, {"activation", "maxmin"}};
  record.preset = "quick";
  record.dataset = "mnist";
  record.seed = 3;
  record.status = "failed";
  record.message = "diverged at step 7: \"loss\" — not finite";
  record.metrics = {{"wasserstein_estimate", 0.1 + 0.2}, {"tiny", 5e-324}};
  record.curves = {
      {"certified_accuracy",
       {{"norm", "l2"}, {"radius", {0.0, 0.5}}, {"value", {1.0, 0.25}}}}};
  record.lipschitz = LipschitzRecord{Norm::kLinf, 1.0000002, 0.9991};
  record.history = {{100, {{"loss", 0.5}, {"learning_rate", 0.01}}},
                    {200, {{"loss", 1.0 / 3}}}};
  record.config = {{"version", 1}, {"steps", 200}};
  record.environment = {{"libtorch", "1.13.1"}, {"threads", 1}};
  record.wall_seconds = 12.25;
  record.run_seconds = 20.5;
  record.peak_memory_mib = 300.0;
  record.parameters = 269322;
  return record;
}

std::vector<std::string> Keys(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  return keys;
}

std::vector<std::string> FileNames(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

TEST(RecordTest, EverythingSurvivesTheFile) {
  const Record record = Example();
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  const auto read =
      ReadRecord(RecordPath(Folder(), "absolute_value", "maxmin-bjorck-2", 3));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->experiment, record.experiment);
  EXPECT_EQ(read->slug, record.slug);
  EXPECT_EQ(read->variant, record.variant);
  EXPECT_EQ(read->preset, record.preset);
  EXPECT_EQ(read->dataset, record.dataset);
  EXPECT_EQ(read->seed, record.seed);
  EXPECT_EQ(read->status, record.status);
  EXPECT_EQ(read->message, record.message);
  EXPECT_EQ(read->metrics, record.metrics);
  EXPECT_EQ(read->curves, record.curves);
  ASSERT_TRUE(read->lipschitz.has_value());
  EXPECT_EQ(read->lipschitz->norm, Norm::kLinf);
  EXPECT_EQ(read->lipschitz->upper_bound, 1.0000002);
  EXPECT_EQ(read->lipschitz->lower_bound, 0.9991);
  ASSERT_EQ(read->history.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->history[i].step, record.history[i].step);
    EXPECT_EQ(read->history[i].metrics, record.history[i].metrics);
  }
  EXPECT_EQ(read->config, record.config);
  EXPECT_EQ(read->environment, record.environment);
  EXPECT_EQ(read->wall_seconds, record.wall_seconds);
  EXPECT_EQ(read->run_seconds, record.run_seconds);
  EXPECT_EQ(read->peak_memory_mib, record.peak_memory_mib);
  EXPECT_EQ(read->parameters, record.parameters);
  EXPECT_EQ(read->cost_seconds(), 20.5);
  EXPECT_FALSE(read->ok());
}

TEST(RecordTest, KeysAreThoseOfTheDesignInItsOrder) {
  const Json json = Example().ToJson();
  EXPECT_THAT(Keys(json),
              ElementsAre("schema", "experiment", "slug", "variant", "preset",
                          "dataset", "seed", "status", "message", "metrics",
                          "curves", "lipschitz", "history", "config",
                          "environment", "wall_seconds", "run_seconds",
                          "peak_memory_mib", "parameters"));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_THAT(Keys(json["variant"]), ElementsAre("constraint", "activation"));
  EXPECT_THAT(Keys(json["lipschitz"]),
              ElementsAre("norm", "upper_bound", "lower_bound"));
  EXPECT_EQ(json["lipschitz"]["norm"], "linf");
  ASSERT_TRUE(json["history"].is_array());
  ASSERT_TRUE(json["history"][0].is_object());
  EXPECT_EQ(json["history"][0]["step"], 100);
  EXPECT_EQ(json["history"][0]["loss"], 0.5);
}

TEST(RecordTest, NoDatasetAndNoBoundAreNull) {
  Record record = Example();
  record.dataset.clear();
  record.lipschitz.reset();
  const Json json = record.ToJson();
  EXPECT_TRUE(json["dataset"].is_null());
  EXPECT_TRUE(json["lipschitz"].is_null());
  const auto read = Record::FromJson(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->dataset, "");
  EXPECT_FALSE(read->lipschitz.has_value());
}

TEST(RecordTest, EmptyPartsStayObjectsAndArrays) {
  Record record;
  record.experiment = "e";
  record.slug = "s";
  const Json json = record.ToJson();
  for (const char* key :
       {"variant", "metrics", "curves", "config", "environment"}) {
    EXPECT_EQ(json[key].dump(), "{}") << key;
  }
  EXPECT_EQ(json["history"].dump(), "[]");
  EXPECT_TRUE(Record::FromJson(json).ok());
}

TEST(RecordTest, NanIsNullInTheFile) {
  Record record = Example();
  record.metrics["undefined"] = std::nan("");
  record.history[0].metrics["loss"] = std::nan("");
  record.lipschitz->lower_bound = std::nan("");
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  const std::string path =
      RecordPath(Folder(), record.experiment, record.slug, record.seed);
  EXPECT_THAT(*ReadFile(path), HasSubstr("\"undefined\":null"));
  const auto read = ReadRecord(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(std::isnan(read->metrics.at("undefined")));
  EXPECT_TRUE(std::isnan(read->history[0].metrics.at("loss")));
  EXPECT_TRUE(std::isnan(read->lipschitz->lower_bound));
  EXPECT_EQ(read->metrics.at("tiny"), 5e-324);
}

TEST(RecordTest, LargestSeedSurvives) {
  Record record = Example();
  record.seed = std::numeric_limits<uint64_t>::max();
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  const auto read = ReadRecord(
      absl::StrCat(Folder(), "/records/absolute_value/maxmin-bjorck-2-s",
                   "18446744073709551615.json"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->seed, record.seed);
}

TEST(RecordTest, MessageThatIsNotUtf8IsStillWritten) {
  Record record = Example();
  record.message = "cannot read /data/caf\xe9";
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  const auto read = ReadRecord(
      RecordPath(Folder(), record.experiment, record.slug, record.seed));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->message, HasSubstr("cannot read /data/caf"));
}

TEST(ReadRecordTest, MissingFileIsNotFound) {
  const std::string path = Folder() + "/none.json";
  EXPECT_TRUE(FailsWith(ReadRecord(path), absl::StatusCode::kNotFound, {path}));
}

TEST(ReadRecordTest, FolderIsAnError) {
  const std::string path = Folder() + "/folder.json";
  ASSERT_TRUE(CreateFolder(path).ok());
  EXPECT_TRUE(
      FailsWith(ReadRecord(path), absl::StatusCode::kInvalidArgument, {path}));
}

TEST(ReadRecordTest, WhatIsNotARecordIsAnErrorThatNamesTheFile) {
  const std::string whole = Example().ToJson().dump();
  const std::string path = Folder() + "/x.json";
  const std::vector<std::pair<std::string, std::string>> contents = {
      {"", "not JSON"},
      {"\n", "not JSON"},
      {whole.substr(0, whole.size() / 2), "not JSON"},
      {whole.substr(0, whole.size() - 1), "not JSON"},
      {whole + whole, "not JSON"},
      {std::string(100, '\0'), "not JSON"},
      {"{\"message\": \"\xff\"}", "not JSON"},
      {"[" + whole + "]", "schema"},
      {"[]", "schema"},
      {"null", "schema"},
      {"\"text\"", "schema"},
      {"{}", "schema"},
  };
  for (const auto& [content, part] : contents) {
    ASSERT_TRUE(WriteFileAtomically(path, content).ok());
    EXPECT_TRUE(FailsWith(ReadRecord(path), absl::StatusCode::kInvalidArgument,
                          {path, part}))
        << content;
  }
}

TEST(ReadRecordTest, OtherSchemaIsAnErrorThatSaysWhich) {
  const std::string path = Folder() + "/x.json";
  const std::vector<std::pair<Json, std::string>> schemas = {
      {2, "2"}, {0, "0"}, {"1", "\"1\""}, {true, "true"}, {Json(), "null"}};
  for (const auto& [schema, shown] : schemas) {
    Json json = Example().ToJson();
    json["schema"] = schema;
    ASSERT_TRUE(WriteFileAtomically(path, json.dump()).ok());
    EXPECT_TRUE(FailsWith(ReadRecord(path), absl::StatusCode::kInvalidArgument,
                          {path, "schema is " + shown}));
  }
}

TEST(ReadRecordTest, EveryMissingKeyIsAnErrorThatNamesIt) {
  const std::string path = Folder() + "/x.json";
  for (const std::string& key : Keys(Example().ToJson())) {
    // What records of earlier programs lack.
    if (key == "run_seconds" || key == "peak_memory_mib" ||
        key == "parameters") {
      continue;
    }
    Json json = Example().ToJson();
    json.erase(key);
    ASSERT_TRUE(WriteFileAtomically(path, json.dump()).ok());
    EXPECT_TRUE(FailsWith(ReadRecord(path), absl::StatusCode::kInvalidArgument,
                          {path, "'" + key + "'"}));
  }
}

TEST(ReadRecordTest, RecordsOfEarlierProgramsLackTheCostOfTheWholeRun) {
  Json json = Example().ToJson();
  json.erase("run_seconds");
  json.erase("peak_memory_mib");
  json.erase("parameters");
  const auto record = Record::FromJson(json);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->cost_seconds(), record->wall_seconds);
  EXPECT_EQ(record->ToJson(), json);
}

TEST(ReadRecordTest, EveryValueOfTheWrongKindIsAnErrorThatNamesItsKey) {
  const std::string path = Folder() + "/x.json";
  const std::vector<std::pair<std::string, std::vector<Json>>> wrong = {
      {"experiment", {1, Json(), Json::array()}},
      {"slug", {1, Json()}},
      {"variant", {1, "text", Json(), Json::array()}},
      {"preset", {1, Json()}},
      {"dataset", {1, Json::object(), false}},
      {"seed", {"0", -1, 1.5, true, Json(), 1e30}},
      {"status", {1, Json(), "maybe", ""}},
      {"message", {1, Json()}},
      {"metrics", {1, "text", Json(), Json::array({1, 2})}},
      {"curves", {1, "text", Json(), Json::array()}},
      {"lipschitz", {1, "l2", Json::array()}},
      {"history", {1, "text", Json(), Json::object(), Json::array({1})}},
      {"config", {1, "text", Json(), Json::array()}},
      {"environment", {1, "text", Json(), Json::array()}},
      {"wall_seconds", {"12", true, Json::array()}},
      {"run_seconds", {"12", true, Json::array()}},
      {"peak_memory_mib", {"12", true, Json::array()}},
      {"parameters", {"12", true, 1.5, Json(), Json::array()}},
  };
  // All but the schema, which has a test of its own.
  ASSERT_EQ(wrong.size() + 1, Example().ToJson().size());
  for (const auto& [key, values] : wrong) {
    for (const Json& value : values) {
      Json json = Example().ToJson();
      json[key] = value;
      ASSERT_TRUE(WriteFileAtomically(path, json.dump()).ok());
      EXPECT_TRUE(FailsWith(ReadRecord(path),
                            absl::StatusCode::kInvalidArgument,
                            {path, "'" + key + "'"}))
          << value;
    }
  }
}

TEST(ReadRecordTest, WrongKindsInsideAreErrorsThatNameTheirKey) {
  const std::string path = Folder() + "/x.json";
  const auto expect_error = [&](const std::string& pointer, const Json& value,
                                const std::string& part) {
    Json json = Example().ToJson();
    json[Json::json_pointer(pointer)] = value;
    ASSERT_TRUE(WriteFileAtomically(path, json.dump()).ok());
    EXPECT_TRUE(FailsWith(ReadRecord(path), absl::StatusCode::kInvalidArgument,
                          {path, part}))
        << pointer << " " << value;
  };
  expect_error("/metrics/tiny", "1.0", "'tiny'");
  expect_error("/metrics/tiny", true, "'tiny'");
  expect_error("/history/0/step", "1", "'step'");
  expect_error("/history/0/step", Json(), "'step'");
  expect_error("/history/1", {{"loss", 1.0}}, "'step'");
  expect_error("/history/1/loss", "1", "'loss'");
  expect_error("/lipschitz/norm", 2, "'norm'");
  expect_error("/lipschitz/norm", "l7", "l7");
  expect_error("/lipschitz/upper_bound", "1", "'upper_bound'");
  expect_error("/lipschitz", Json::object(), "'norm'");
}

TEST(ReadRecordTest, UnknownKeysAreNoError) {
  Json json = Example().ToJson();
  json["remark"] = "by hand";
  EXPECT_TRUE(Record::FromJson(json).ok());
}

TEST(WriteRecordTest, ReplacesTheFileAndLeavesNoOther) {
  Record record = Example();
  for (int i = 0; i < 3; ++i) {
    record.wall_seconds = i;
    ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  }
  EXPECT_THAT(FileNames(Folder() + "/records/absolute_value"),
              ElementsAre("maxmin-bjorck-2-s3.json"));
  const RecordSet set = ReadRecords(Folder(), "absolute_value");
  ASSERT_EQ(set.records.size(), 1u);
  EXPECT_EQ(set.records[0].wall_seconds, 2);
}

// A file in the way, because root may write everywhere.
TEST(WriteRecordTest, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  const std::string in_the_way = Folder() + "/records";
  ASSERT_TRUE(WriteFileAtomically(in_the_way, "a file").ok());
  const absl::Status status = WriteRecord(Folder(), Example());
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(in_the_way));
  EXPECT_EQ(*ReadFile(in_the_way), "a file");
}

TEST(WriteRecordTest, FileThatCannotBeReplacedLeavesNothingBehind) {
  const Record record = Example();
  const std::string path =
      RecordPath(Folder(), record.experiment, record.slug, record.seed);
  ASSERT_TRUE(CreateFolder(path + "/full").ok());
  const absl::Status status = WriteRecord(Folder(), record);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_THAT(FileNames(Folder() + "/records/absolute_value"),
              ElementsAre("maxmin-bjorck-2-s3.json"));
}

TEST(ReadRecordsTest, MissingFolderGivesNone) {
  const RecordSet set = ReadRecords(Folder() + "/nowhere", "absolute_value");
  EXPECT_THAT(set.records, IsEmpty());
  EXPECT_THAT(set.problems, IsEmpty());
}

TEST(ReadRecordsTest, AreInTheOrderOfTheirFileNames) {
  for (const char* slug : {"m", "z", "a", "k", "b"}) {
    Record record = Example();
    record.slug = slug;
    ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  }
  Record other = Example();
  other.experiment = "another";
  ASSERT_TRUE(WriteRecord(Folder(), other).ok());
  std::vector<std::string> slugs;
  for (const Record& record : ReadRecords(Folder(), "absolute_value").records) {
    slugs.push_back(record.slug);
  }
  EXPECT_THAT(slugs, ElementsAre("a", "b", "k", "m", "z"));
}

TEST(ReadRecordsTest, BrokenFilesAreNamedAndLeftAlone) {
  Record record = Example();
  for (const char* slug : {"b", "d"}) {
    record.slug = slug;
    ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  }
  const std::string folder = Folder() + "/records/absolute_value/";
  ASSERT_TRUE(WriteFileAtomically(folder + "a.json", "{\"schema\"").ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "c.json", "{\"schema\": 2}").ok());
  ASSERT_TRUE(CreateFolder(folder + "e.json").ok());
  // Neither a record nor a problem.
  ASSERT_TRUE(WriteFileAtomically(folder + "b.json.77.tmp", "{").ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "README.md", "text").ok());

  const RecordSet set = ReadRecords(Folder(), "absolute_value");
  ASSERT_EQ(set.records.size(), 2u);
  EXPECT_EQ(set.records[0].slug, "b");
  EXPECT_EQ(set.records[1].slug, "d");
  EXPECT_THAT(set.problems, ElementsAre(HasSubstr(folder + "a.json"),
                                        HasSubstr(folder + "c.json"),
                                        HasSubstr(folder + "e.json")));
  EXPECT_EQ(*ReadFile(folder + "a.json"), "{\"schema\"");
  EXPECT_EQ(*ReadFile(folder + "c.json"), "{\"schema\": 2}");
  EXPECT_EQ(FileNames(folder).size(), 7u);
}

}  // namespace
}  // namespace lipschitz::experiments
