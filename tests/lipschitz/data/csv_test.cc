#include "lipschitz/data/csv.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/data_files.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using testing::FailsWith;
using testing::Matrix;

void ExpectNumbers(const std::string& content, const at::Tensor& expected) {
  const auto parsed = ParseCsv("x.csv", content);
  ASSERT_TRUE(parsed.ok()) << parsed.status() << " in " << content;
  EXPECT_EQ(parsed->scalar_type(), at::kDouble);
  EXPECT_TRUE(parsed->is_contiguous());
  EXPECT_TRUE(at::equal(*parsed, expected)) << content << *parsed;
}

void ExpectError(const std::string& content, std::vector<std::string> parts) {
  parts.push_back("x.csv: ");
  EXPECT_TRUE(FailsWith(ParseCsv("x.csv", content),
                        StatusCode::kInvalidArgument, parts))
      << content;
}

TEST(Csv, ReadsEverySpelling) {
  const at::Tensor expected = Matrix({{1.5, -2}, {300, 0.25}});
  for (const std::string content : {
           "1.5,-2\n300,0.25\n",
           "1.5,-2\n300,0.25",
           "1.5,-2\r\n300,0.25\r\n",
           "1.5,-2\n300,0.25\n\n",
           "1.5,-2\n300,0.25\n\r\n \n",
           " 1.5 ,\t-2\n 3e2, 25E-2 \n",
           "\"1.5\",\"-2\"\n\"300\" , \" 0.25\"\n",
           "\xef\xbb\xbf+1.5,-2.0\n300.,.25\n",
       }) {
    ExpectNumbers(content, expected);
  }
  ExpectNumbers("7", Matrix({{7}}));
  ExpectNumbers("1\n2\n3\n", Matrix({{1}, {2}, {3}}));
  ExpectNumbers("1,2,3\n", Matrix({{1, 2, 3}}));
}

TEST(Csv, TheFirstLineIsAHeaderWhereNoFieldIsANumber) {
  const at::Tensor expected = Matrix({{1, 2}});
  for (const std::string header :
       {"x,y", "x1, 2y", "\"x\",\"y\"", "\"x, in m\",y", "\"the \"\"x\"\"\",y",
        ",", "\xef\xbb\xbfx,y", "\"1,2\",3 m"}) {
    ExpectNumbers(header + "\n1,2\n", expected);
  }
  ExpectError("x,1\n2,3\n", {"row 1", "column 1", "'x' is not a number"});
  ExpectError("x,y\nu,v\n", {"row 2", "column 1", "'u' is not a number"});
  ExpectError("x,y,z\n1,2\n", {"row 2", "is 2", "in row 1 it is 3"});
  ExpectError("x,y\n", {"no row of numbers", "'x,y?'"});
}

// Written with 17 digits, every float64 comes back as it was.
TEST(Csv, NumbersAreTheNearestFloat64) {
  const at::Tensor values = at::cat({at::randn({50, 3}, at::kDouble),
                                     at::randn({50, 3}, at::kDouble) * 1e300,
                                     at::randn({50, 3}, at::kDouble) * 1e-310});
  std::string content;
  for (int64_t i = 0; i < values.size(0); ++i) {
    char line[128];
    std::snprintf(line, sizeof(line), "%.17g,%.17g,%.17g\n",
                  values[i][0].item<double>(), values[i][1].item<double>(),
                  values[i][2].item<double>());
    content += line;
  }
  ExpectNumbers(content, values);
}

TEST(Csv, WhatIsNoTableOfFiniteNumbersIsAnErrorWithItsPlace) {
  ExpectError("", {"empty"});
  ExpectError("\n\r\n  \n", {"empty"});
  ExpectError("\xef\xbb\xbf", {"empty"});
  ExpectError("1,2\n3\n", {"row 2", "columns is 1", "in row 1 it is 2"});
  ExpectError("1,2\n3,4,5\n", {"row 2", "columns is 3"});
  ExpectError("1,2\n\n3,4\n", {"row 2", "columns is 1"});
  ExpectError("1\n\n3\n", {"row 2", "column 1", "empty"});
  ExpectError("1,2\n3,\n", {"row 2", "column 2", "empty"});
  ExpectError("1,2\n,4\n", {"row 2", "column 1", "empty"});
  ExpectError("1,2\n3,4,\n", {"row 2", "columns is 3"});
  const std::pair<std::string, std::string> fields[] = {
      {"four", "'four' is not a number"},
      {"4 5", "'4 5' is not a number"},
      {"4;5", "'4;5' is not a number"},
      {"0x4", "'0x4' is not a number"},
      {"4.5.6", "not a number"},
      {"--4", "not a number"},
      {"1e", "not a number"},
      {"\"4", "'\"4' is not a number"},
      {"\"4\"5", "'\"4\"5' is not"},
      {"\"4\"\"5\"", "not a number"},
      {"4\x01\xff", "'4\?\?' is not"},
      {"nan", "'nan' is not finite"},
      {"NaN", "'NaN' is not finite"},
      {"inf", "'inf' is not finite"},
      {"-Infinity", "'-Infinity' is not"},
      {"1e400", "'1e400' is not finite"},
      {"NA", "'NA' is not a number"},
      {"None", "'None' is not a number"},
  };
  for (const auto& [field, message] : fields) {
    ExpectError("x,y\n1,2\n3," + field + "\n", {"row 3", "column 2", message});
  }
  ExpectError(std::string("1,2\n3,4\0", 8), {"row 2", "column 2", "'4?'"});
  ExpectError("nan,2\n", {"row 1", "column 1", "'nan' is not finite"});
  // A whole file of quotes is one field, and an error of one line.
  const auto status = ParseCsv("x.csv", "1\n" + std::string(100001, '"'));
  ASSERT_FALSE(status.ok());
  EXPECT_LT(status.status().message().size(), 200u);
}

TEST(CsvTexts, AreTheFieldsWithoutTheirQuotes) {
  const auto rows = ParseCsvTexts(
      "x.csv", "name,note\r\na,\"1, \"\"2\"\"\"\r\n b ,\r\n", {"name", "note"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, (std::vector<std::vector<std::string>>{{"a", "1, \"2\""},
                                                          {"b", ""}}));
  const auto none = ParseCsvTexts("x.csv", "name,note\n", {"name", "note"});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
}

TEST(CsvTexts, RefusesOtherColumnsAndRowsOfAnotherLength) {
  for (const char* content : {"", "name\na\n", "note,name\na,b\n"}) {
    EXPECT_TRUE(FailsWith(ParseCsvTexts("x.csv", content, {"name", "note"}),
                          StatusCode::kInvalidArgument, {"x.csv", "name,note"}))
        << content;
  }
  EXPECT_TRUE(FailsWith(
      ParseCsvTexts("x.csv", "name,note\na,b\na,b,c\n", {"name", "note"}),
      StatusCode::kInvalidArgument, {"x.csv", "row 3", "3", "2"}));
}

TEST(Csv, ReadsFiles) {
  const std::string folder = testing::NewFolder("csv");
  testing::WriteData(folder + "/x.csv", "1,2\n3,4\n");
  const auto read = ReadCsv(folder + "/x.csv");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(at::equal(*read, Matrix({{1, 2}, {3, 4}})));
  EXPECT_TRUE(FailsWith(ReadCsv(folder + "/none.csv"), StatusCode::kNotFound,
                        {folder + "/none.csv"}));
  EXPECT_TRUE(FailsWith(ReadCsv(folder), StatusCode::kInvalidArgument,
                        {folder, "directory"}));
}

}  // namespace
}  // namespace lipschitz
