#include "tests/testing/files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "gtest/gtest.h"

namespace lipschitz::testing {

using Json = nlohmann::ordered_json;

std::string ReadText(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.good()) << "cannot read " << path;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

Json ReadJson(const std::string& path) {
  const std::string text = ReadText(path);
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(value.is_discarded()) << path << ": " << text;
  return value;
}

std::vector<Json> ReadRecordFiles(const std::string& results,
                                  const std::string& experiment) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(
           results + "/records/" + experiment, error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  EXPECT_FALSE(error) << results << ": " << error.message();
  std::sort(paths.begin(), paths.end());
  std::vector<Json> records;
  for (const std::string& path : paths) {
    Json record = ReadJson(path);
    EXPECT_TRUE(record.is_object()) << path;
    if (record.is_object()) records.push_back(std::move(record));
  }
  return records;
}

}  // namespace lipschitz::testing
