#include "experiments/common/experiment.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "experiments/common/table.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

Record MakeRecord(const std::string& variant, const std::string& preset,
                  uint64_t seed, double score) {
  Record record;
  record.experiment = "e";
  record.slug = variant;
  record.variant = {{"name", variant}};
  record.preset = preset;
  record.seed = seed;
  record.metrics = {{"score", score}};
  record.config = {{"steps", 5}};
  return record;
}

Record Failed(Record record) {
  record.status = "failed";
  return record;
}

TEST(MakeSlugTest, QuickHasTheBareNameOtherPresetsAddTheirs) {
  const Json standard = {{"steps", 5}};
  Json config = standard;
  EXPECT_EQ(MakeSlug("maxmin-2", Preset::kQuick, standard, &config),
            "maxmin-2");
  EXPECT_EQ(MakeSlug("maxmin-2", Preset::kPaper, standard, &config),
            "maxmin-2-paper");
  EXPECT_EQ(MakeSlug("maxmin-2", Preset::kSmoke, standard, &config),
            "maxmin-2-smoke");
  EXPECT_EQ(config, standard);
}

TEST(MakeSlugTest, OtherSettingsAddAHashAndMarkTheConfiguration) {
  const Json standard = {{"steps", 5}};
  Json config = {{"steps", 6}};
  EXPECT_THAT(MakeSlug("maxmin", Preset::kQuick, standard, &config),
              MatchesRegex("maxmin-x[0-9a-f]{8}"));
  EXPECT_EQ(config, Json({{"steps", 6}, {"customised", true}}));
  config = {{"steps", 6}};
  EXPECT_THAT(MakeSlug("maxmin", Preset::kPaper, standard, &config),
              MatchesRegex("maxmin-paper-x[0-9a-f]{8}"));
}

TEST(MakeSlugTest, HashTellsSettingsApartAndNothingElse) {
  const Json standard = {{"steps", 5}, {"rate", 0.1}};
  const auto slug = [&](Json config) {
    return MakeSlug("m", Preset::kQuick, standard, &config);
  };
  const Json six = {{"steps", 6}, {"rate", 0.1}};
  EXPECT_EQ(slug(six), slug(six));
  EXPECT_NE(slug(six), slug({{"steps", 7}, {"rate", 0.1}}));
  EXPECT_NE(slug(six), slug({{"steps", 6}, {"rate", 0.2}}));
}

// FNV-1a of {"steps":6}: file names must not change between versions, or
// finished records would not be found.
TEST(MakeSlugTest, HashIsTheSameInEveryVersion) {
  Json config = {{"steps", 6}};
  EXPECT_EQ(MakeSlug("m", Preset::kQuick, {{"steps", 5}}, &config),
            "m-x21c81366");
}

TEST(ExpectKnownTest, NamesWhatIsNotKnownAndListsWhatIs) {
  EXPECT_TRUE(ExpectKnown("model", {}, {"a", "b"}).ok());
  EXPECT_TRUE(ExpectKnown("model", {"b", "a"}, {"a", "b"}).ok());
  const absl::Status status = ExpectKnown("model", {"a", "c"}, {"a", "b"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              MatchesRegex("--model .*'c'.*a, b"));
}

TEST(IsStandardTest, CustomisedRecordsAreNot) {
  Record record = MakeRecord("a", "quick", 0, 1.0);
  EXPECT_TRUE(IsStandard(record));
  record.config["customised"] = false;
  EXPECT_TRUE(IsStandard(record));
  record.config["customised"] = true;
  EXPECT_FALSE(IsStandard(record));
}

TEST(StandardRecordsTest, AreThoseOfThePresetInTheirOrder) {
  std::vector<Record> records = {
      MakeRecord("a", "quick", 0, 1), MakeRecord("b", "paper", 0, 1),
      MakeRecord("c", "quick", 0, 1), Failed(MakeRecord("d", "quick", 0, 1)),
      MakeRecord("e", "smoke", 0, 1)};
  records[2].config["customised"] = true;
  const auto slugs = [&](Preset preset) {
    std::vector<std::string> chosen;
    for (const Record& record : StandardRecords(records, preset)) {
      chosen.push_back(record.slug);
    }
    return chosen;
  };
  EXPECT_THAT(slugs(Preset::kQuick), ElementsAre("a", "d"));
  EXPECT_THAT(slugs(Preset::kPaper), ElementsAre("b"));
  EXPECT_THAT(slugs(Preset::kSmoke), ElementsAre("e"));
}

TEST(GroupByVariantTest, GroupsSeedsInTheOrderOfFirstAppearance) {
  const std::vector<Record> records = {
      MakeRecord("z", "quick", 0, 1), MakeRecord("a", "quick", 0, 2),
      MakeRecord("z", "quick", 1, 3), MakeRecord("a", "quick", 1, 4)};
  const auto groups = GroupByVariant(records);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].variant, Json({{"name", "z"}}));
  EXPECT_EQ(groups[0].preset, "quick");
  EXPECT_THAT(groups[0].ok, ElementsAre(&records[0], &records[2]));
  EXPECT_EQ(groups[1].variant, Json({{"name", "a"}}));
  EXPECT_THAT(groups[1].ok, ElementsAre(&records[1], &records[3]));
}

TEST(GroupByVariantTest, FailedRecordsAreCountedOnly) {
  const std::vector<Record> records = {Failed(MakeRecord("a", "quick", 0, 1)),
                                       MakeRecord("a", "quick", 1, 2),
                                       Failed(MakeRecord("a", "quick", 2, 3)),
                                       Failed(MakeRecord("b", "quick", 0, 4))};
  const auto groups = GroupByVariant(records);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_THAT(groups[0].ok, ElementsAre(&records[1]));
  EXPECT_EQ(groups[0].failed.size(), 2u);
  EXPECT_THAT(groups[1].ok, IsEmpty());
  EXPECT_EQ(groups[1].failed.size(), 1u);
}

TEST(SummariseTest, FailedRecordsCountWhereThatIsAskedFor) {
  std::vector<Record> records = {Failed(MakeRecord("a", "quick", 0, 1)),
                                 MakeRecord("a", "quick", 1, 2),
                                 Failed(MakeRecord("a", "quick", 2, 3))};
  for (Record& record : records) record.metrics.clear();
  records[0].metrics["collapsed"] = 1.0;
  records[1].metrics["collapsed"] = 0.0;
  const auto groups = GroupByVariant(records);
  const Summary all = SummariseWithFailed(groups.at(0), "collapsed");
  EXPECT_EQ(all.count, 2);
  EXPECT_EQ(all.mean, 0.5);
  EXPECT_EQ(SummariseMetric(groups.at(0), "collapsed").mean, 0.0);
}

TEST(GroupByVariantTest, PresetsAreApart) {
  const std::vector<Record> records = {MakeRecord("a", "quick", 0, 1),
                                       MakeRecord("a", "paper", 0, 2),
                                       MakeRecord("a", "quick", 1, 3)};
  const auto groups = GroupByVariant(records);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].preset, "quick");
  EXPECT_EQ(groups[0].ok.size(), 2u);
  EXPECT_EQ(groups[1].preset, "paper");
  EXPECT_EQ(groups[1].ok.size(), 1u);
}

TEST(GroupByVariantTest, OfNothingIsNothing) {
  const std::vector<Record> nothing;
  EXPECT_TRUE(GroupByVariant(nothing).empty());
}

TEST(SummariseMetricTest, IsOverTheOkRecordsThatHaveIt) {
  std::vector<Record> records = {MakeRecord("a", "quick", 0, 1.0),
                                 MakeRecord("a", "quick", 1, 3.0),
                                 Failed(MakeRecord("a", "quick", 2, 100.0)),
                                 MakeRecord("a", "quick", 3, std::nan("")),
                                 MakeRecord("a", "quick", 4, 100.0)};
  records[4].metrics = {{"other", 7.0}};
  const auto groups = GroupByVariant(records);
  ASSERT_EQ(groups.size(), 1u);
  const Summary score = SummariseMetric(groups[0], "score");
  EXPECT_EQ(score.count, 2);
  EXPECT_DOUBLE_EQ(score.mean, 2.0);
  EXPECT_DOUBLE_EQ(score.deviation, std::sqrt(2.0));
  EXPECT_EQ(SummariseMetric(groups[0], "other").count, 1);
  EXPECT_EQ(SummariseMetric(groups[0], "none").count, 0);
}

}  // namespace
}  // namespace lipschitz::experiments
