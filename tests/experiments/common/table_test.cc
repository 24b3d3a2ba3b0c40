#include "experiments/common/table.h"

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Folder() {
  return ::testing::TempDir() + "/table_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

TEST(SummariseTest, MeanAndSampleDeviation) {
  const Summary summary = Summarise({1.0, 2.0, 3.0, 6.0});
  EXPECT_EQ(summary.count, 4);
  EXPECT_DOUBLE_EQ(summary.mean, 3.0);
  // Squares 4 + 1 + 0 + 9 over n − 1 = 3.
  EXPECT_DOUBLE_EQ(summary.deviation, std::sqrt(14.0 / 3.0));
}

TEST(SummariseTest, LeavesNanOut) {
  const Summary summary =
      Summarise({std::nan(""), 1.0, std::nan(""), 3.0, std::nan("")});
  EXPECT_EQ(summary.count, 2);
  EXPECT_DOUBLE_EQ(summary.mean, 2.0);
  EXPECT_DOUBLE_EQ(summary.deviation, std::sqrt(2.0));
}

TEST(SummariseTest, OneValueHasNoDeviation) {
  for (const auto& values :
       std::vector<std::vector<double>>{{7.5}, {std::nan(""), 7.5}}) {
    const Summary summary = Summarise(values);
    EXPECT_EQ(summary.count, 1);
    EXPECT_EQ(summary.mean, 7.5);
    EXPECT_EQ(summary.deviation, 0.0);
  }
}

TEST(SummariseTest, OfNothingCountsNothing) {
  for (const auto& values : std::vector<std::vector<double>>{
           {}, {std::nan("")}, {std::nan(""), std::nan("")}}) {
    const Summary summary = Summarise(values);
    EXPECT_EQ(summary.count, 0);
    EXPECT_EQ(summary.mean, 0.0);
    EXPECT_EQ(summary.deviation, 0.0);
  }
}

TEST(SummariseTest, EqualLargeValuesHaveNoDeviation) {
  EXPECT_EQ(Summarise({1e9, 1e9, 1e9}).deviation, 0.0);
}

TEST(MarkdownTest, WholeTable) {
  Table table;
  table.title = "A table";
  table.columns = {{"name"}, {"W1", {2, true}}, {"s", {0, false}}};
  table.rows = {{"maxmin", Summary{0.5, 0.125, 3}, Summary{12.4, 1.0, 3}},
                {"relu", Summary{0.25, 0.0, 1}, Summary{}}};
  table.notes = {"First.", "Second."};
  EXPECT_EQ(table.ToMarkdown(),
            "### A table\n"
            "\n"
            "| name   | W1          | s   |\n"
            "| ------ | ----------- | --- |\n"
            "| maxmin | 0.50 ± 0.12 | 12  |\n"
            "| relu   | 0.25        | –   |\n"
            "\n"
            "First.\n"
            "\n"
            "Second.\n");
}

TEST(MarkdownTest, ColumnsOfNothingAreLeftOut) {
  Table table;
  table.columns = {{"name"}, {"parameters", {0, false}}, {"s", {0, false}}};
  table.rows = {{"a", Summary{}, Summary{}},
                {"b", Summary{}, Summary{2.0, 0.0, 1}}};
  EXPECT_EQ(table.ToMarkdown(),
            "| name | s   |\n"
            "| ---- | --- |\n"
            "| a    | –   |\n"
            "| b    | 2   |\n");
  EXPECT_THAT(table.ToCsv(), HasSubstr("name,parameters,parameters_sd,s,s_sd"));
}

TEST(MarkdownTest, NoRowsLeaveTheHeader) {
  Table table;
  table.columns = {{"a"}, {"long title"}};
  EXPECT_EQ(table.ToMarkdown(),
            "| a   | long title |\n"
            "| --- | ---------- |\n");
}

TEST(MarkdownTest, AlignsByCharactersNotBytes) {
  Table table;
  table.columns = {{"‖x‖∞"}, {"b"}};
  table.rows = {{"é", "1"}, {"abcde", "2"}};
  EXPECT_EQ(table.ToMarkdown(),
            "| ‖x‖∞  | b   |\n"
            "| ----- | --- |\n"
            "| é     | 1   |\n"
            "| abcde | 2   |\n");
}

// The constant of a network without constraint is as large as it likes.
TEST(MarkdownTest, LargeNumbersAreShort) {
  Table table;
  table.columns = {{"K", {4, true}}};
  const auto text = [&](const Summary& summary) {
    table.rows = {{summary}};
    return table.ToMarkdown();
  };
  EXPECT_THAT(text({5.35441e17, 3.2e16, 3}), HasSubstr("| 5.35e+17 ± 3.2e+16"));
  EXPECT_THAT(text({-5.35441e17, 0.0, 1}), HasSubstr("| -5.35e+17 |"));
  EXPECT_THAT(text({9999999.0, 0.5, 2}), HasSubstr("| 9999999.0000 ± 0.5000"));
  // CSV keeps all digits.
  EXPECT_THAT(table.ToCsv(), HasSubstr("9999999,0.5"));
}

TEST(MarkdownTest, DeviationOnlyWithTwoValuesOrMore) {
  Table table;
  table.columns = {{"x", {3, true}}};
  const auto text = [&](const Summary& summary) {
    table.rows = {{summary}};
    return table.ToMarkdown();
  };
  EXPECT_THAT(text({1.0, 0.0, 1}), HasSubstr("| 1.000 |"));
  EXPECT_THAT(text({1.0, 0.0, 1}), Not(HasSubstr("±")));
  EXPECT_THAT(text({1.0, 0.5, 2}), HasSubstr("| 1.000 ± 0.500 |"));
  EXPECT_THAT(text({1.0, 0.0, 2}), HasSubstr("| 1.000 ± 0.000 |"));
  table.columns[0].format.show_deviation = false;
  EXPECT_THAT(text({1.0, 0.5, 2}), HasSubstr("| 1.000 |"));
}

TEST(MarkdownTest, BarsAndLineBreaksDoNotEndACell) {
  Table table;
  table.columns = {{"|x|"}};
  table.rows = {{"a|b"}, {"c\nd\r\ne"}};
  EXPECT_EQ(table.ToMarkdown(),
            "| \\|x\\| |\n"
            "| ----- |\n"
            "| a\\|b  |\n"
            "| c d e |\n");
}

// The cells of the second column.
std::vector<std::string> SecondCells(const Table& table) {
  std::vector<std::string> cells;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(table.ToMarkdown(), '\n'))) {
    const std::vector<std::string> parts = absl::StrSplit(line, '|');
    if (parts.size() < 3) continue;
    cells.emplace_back(absl::StripAsciiWhitespace(parts[2]));
  }
  // Header and rule.
  cells.erase(cells.begin(), cells.begin() + 2);
  return cells;
}

Table Scores(Better better) {
  Table table;
  table.columns = {{"task"}, {"score", {2, true}, better}};
  table.rows = {{"a", Summary{0.5, 0.125, 3}},
                {"a", Summary{0.25, 0.0, 1}},
                {"b", Summary{0.75, 0.0, 1}},
                {"b", Summary{0.7501, 0.0, 1}},
                {"b", Summary{}}};
  return table;
}

TEST(BestTest, IsBoldWhereItIsKnownWhatIsBetter) {
  EXPECT_THAT(SecondCells(Scores(Better::kUnknown)),
              ElementsAre("0.50 ± 0.12", "0.25", "0.75", "0.75", "–"));
  // As they are written, two are the best.
  EXPECT_THAT(SecondCells(Scores(Better::kHigher)),
              ElementsAre("0.50 ± 0.12", "0.25", "**0.75**", "**0.75**", "–"));
  EXPECT_THAT(SecondCells(Scores(Better::kLower)),
              ElementsAre("0.50 ± 0.12", "**0.25**", "0.75", "0.75", "–"));
}

TEST(BestTest, IsAmongRowsThatAreCompared) {
  Table table = Scores(Better::kHigher);
  table.compared_within = 1;
  // Of two equal ones neither is better.
  EXPECT_THAT(SecondCells(table),
              ElementsAre("**0.50 ± 0.12**", "0.25", "0.75", "0.75", "–"));
}

TEST(BestTest, RowsOfReferenceAreLeftOut) {
  Table table = Scores(Better::kHigher);
  table.reference_rows = {2, 3};
  EXPECT_THAT(SecondCells(table),
              ElementsAre("**0.50 ± 0.12**", "0.25", "0.75", "0.75", "–"));
}

TEST(BestTest, NumbersOfACsvStayNumbers) {
  EXPECT_EQ(Scores(Better::kHigher).ToCsv(), Scores(Better::kUnknown).ToCsv());
}

TEST(CsvTest, SummariesAreTwoColumnsWithAllDigits) {
  Table table;
  table.columns = {{"name"}, {"W1", {2, true}}};
  table.rows = {{"maxmin", Summary{0.1, 1.0 / 3, 3}}};
  EXPECT_EQ(table.ToCsv(),
            "name,W1,W1_sd\n"
            "maxmin,0.10000000000000001,0.33333333333333331\n");
}

TEST(CsvTest, WhatIsNotThereIsAnEmptyField) {
  Table table;
  table.columns = {{"a"}, {"b", {4, false}}, {"c"}};
  table.rows = {{"one", Summary{0.5, 0.0, 1}, "x"},
                {"none", Summary{}, "y"},
                {"text", "failed", "z"}};
  EXPECT_EQ(table.ToCsv(),
            "a,b,b_sd,c\n"
            "one,0.5,,x\n"
            "none,,,y\n"
            "text,failed,,z\n");
}

TEST(CsvTest, QuotesWhatNeedsIt) {
  Table table;
  table.columns = {{"a,b"}, {"c\"d"}};
  table.rows = {{"plain text", "|x|"},
                {"one, two", "say \"hi\""},
                {"two\nlines", "carriage\rreturn"}};
  table.title = "not in it";
  table.notes = {"nor this"};
  EXPECT_EQ(table.ToCsv(),
            "\"a,b\",\"c\"\"d\"\n"
            "plain text,|x|\n"
            "\"one, two\",\"say \"\"hi\"\"\"\n"
            "\"two\nlines\",\"carriage\rreturn\"\n");
}

TEST(CsvTest, QuotesTheTitleOfADeviation) {
  Table table;
  table.columns = {{"a,b"}};
  table.rows = {{Summary{1, 2, 3}}};
  EXPECT_EQ(table.ToCsv(), "\"a,b\",\"a,b_sd\"\n1,2\n");
}

TEST(WriteTableTest, WritesBothFilesAndNothingElse) {
  Table table;
  table.columns = {{"a"}};
  table.rows = {{Summary{0.5, 0.25, 2}}};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(WriteTable(Folder(), "name_paper", table).ok());
  }
  const std::string folder = Folder() + "/tables";
  EXPECT_EQ(*ReadFile(folder + "/name_paper.md"), table.ToMarkdown());
  EXPECT_EQ(*ReadFile(folder + "/name_paper.csv"), table.ToCsv());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder),
                          std::filesystem::directory_iterator()),
            2);
}

TEST(WriteTableTest, FolderThatCannotBeMadeIsAnErrorThatNamesIt) {
  ASSERT_TRUE(WriteFileAtomically(Folder() + "/tables", "a file").ok());
  const absl::Status status = WriteTable(Folder(), "name", Table());
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(Folder() + "/tables"));
}

}  // namespace
}  // namespace lipschitz::experiments
