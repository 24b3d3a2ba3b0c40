#include "experiments/common/anchors.h"

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/table.h"
#include "experiments/registry.h"
#include "gtest/gtest.h"
#include "tests/experiments/common/fake_experiment.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;

constexpr char kHeader[] =
    "id,experiment,dataset,norm,radius,model,metric,value,spread,seeds,kind,"
    "source\n";

// Answers every anchor about "accuracy" or "pgd_accuracy" with "score".
class ScoredExperiment : public FakeExperiment {
 public:
  std::optional<std::string> MetricFor(const Anchor& anchor,
                                       const Record& record) const override {
    if ((anchor.metric != "accuracy" && anchor.metric != "pgd_accuracy") ||
        record.dataset != anchor.dataset) {
      return std::nullopt;
    }
    return "score";
  }
};

Record Scored(const std::string& model, const std::string& preset, double score,
              uint64_t seed) {
  Record record;
  record.experiment = "fake";
  record.variant = {{"model", model}};
  record.dataset = "mnist";
  record.preset = preset;
  record.seed = seed;
  record.metrics["score"] = score;
  return record;
}

Anchor Published(double value, std::optional<double> spread) {
  Anchor anchor;
  anchor.experiment = "fake";
  anchor.dataset = "mnist";
  anchor.metric = "accuracy";
  anchor.value = value;
  anchor.spread = spread;
  anchor.kind = "published";
  return anchor;
}

std::string TextAt(const Table& table, size_t row, const std::string& title) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].title == title) {
      return std::get<std::string>(table.rows.at(row).at(i));
    }
  }
  return "no column " + title;
}

TEST(Anchors, AreParsed) {
  const auto anchors = ParseAnchors(
      "a.csv", std::string(kHeader) +
                   "x,e,mnist,l2,1.58,\"A, B\",accuracy,0.9,0.01,5,published,"
                   "here\ny,e,d,l2,,m,wasserstein,1,,,exact answer,derived\n");
  ASSERT_TRUE(anchors.ok()) << anchors.status();
  ASSERT_EQ(anchors->size(), 2u);
  const Anchor& first = anchors->at(0);
  EXPECT_EQ(first.model, "A, B");
  EXPECT_EQ(first.radius, 1.58);
  EXPECT_EQ(first.value, 0.9);
  EXPECT_EQ(first.spread, 0.01);
  EXPECT_EQ(first.seeds, 5.0);
  EXPECT_EQ(first.source, "here");
  EXPECT_EQ(anchors->at(1).radius, std::nullopt);
  EXPECT_EQ(anchors->at(1).spread, std::nullopt);
}

TEST(Anchors, ErrorsNameTheRow) {
  EXPECT_TRUE(FailsWith(
      ParseAnchors("a.csv", std::string(kHeader) +
                                "x,e,d,l2,,m,w,1,,,k,s\nx,e,d,l2,,m,w,one,,,k,"
                                "s\n"),
      StatusCode::kInvalidArgument, {"a.csv", "row 3", "value", "'one'"}));
  EXPECT_TRUE(FailsWith(
      ParseAnchors("a.csv", std::string(kHeader) + "x,e,d,l2,,m,w,,,,k,s\n"),
      StatusCode::kInvalidArgument, {"row 2", "value", "empty"}));
  EXPECT_TRUE(FailsWith(ParseAnchors("a.csv", "id,value\n"),
                        StatusCode::kInvalidArgument, {"a.csv", "columns"}));
}

TEST(Anchors, TheCommittedOnesAreAboutKnownExperimentsAndHaveASource) {
  std::set<std::string> ids;
  for (const Anchor& anchor : AllAnchors()) {
    EXPECT_TRUE(ids.insert(anchor.id).second) << anchor.id << " twice";
    EXPECT_FALSE(anchor.source.empty()) << anchor.id;
    EXPECT_FALSE(anchor.kind.empty()) << anchor.id;
  }
  EXPECT_GE(ids.size(), 30u);
}

TEST(AnchorTable, TakesTheBestMeanAndJudgesIt) {
  const ScoredExperiment experiment;
  const std::vector<Record> records = {
      Scored("a", "quick", 0.90, 0), Scored("a", "quick", 0.92, 1),
      Scored("b", "paper", 0.93, 0), Scored("b", "paper", 0.95, 1),
      // Alone it would be the best.
      Scored("c", "smoke", 0.99, 0)};
  const Table table =
      AnchorTable(experiment,
                  {Published(0.93, 0.001), Published(0.95, std::nullopt),
                   Published(0.97, 0.001)},
                  records);
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(TextAt(table, 0, "our best"), "b");
  EXPECT_EQ(TextAt(table, 0, "preset"), "paper");
  EXPECT_EQ(TextAt(table, 0, "seeds"), "2");
  EXPECT_EQ(TextAt(table, 0, "verdict"), "**beaten**");
  // 0.94 ± 0.014.
  EXPECT_EQ(TextAt(table, 1, "verdict"), "met within the spread");
  EXPECT_EQ(TextAt(table, 2, "verdict"), "missed");
}

TEST(AnchorTable, ComparesWithExactAnswersAsAShare) {
  const ScoredExperiment experiment;
  Anchor anchor = Published(2.0, std::nullopt);
  anchor.kind = "exact answer";
  const Table table =
      AnchorTable(experiment, {anchor}, {Scored("a", "quick", 1.5, 0)});
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(TextAt(table, 0, "verdict"), "75.00 % of it");
}

// A weaker attack leaves more standing, and a run that was stopped is nobody's
// result.
TEST(AnchorTable, DoesNotJudgeByAttacksAndByRunsThatWereStopped) {
  const ScoredExperiment experiment;
  Anchor attacked = Published(0.5, std::nullopt);
  attacked.metric = "pgd_accuracy";
  Anchor stopped = Published(0.5, std::nullopt);
  stopped.kind = "unfinished run";
  const Table table = AnchorTable(experiment, {attacked, stopped},
                                  {Scored("a", "quick", 0.9, 0)});
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(TextAt(table, 0, "verdict"), kNoVerdict);
  EXPECT_EQ(TextAt(table, 1, "verdict"), kNoVerdict);
}

TEST(AnchorTable, LeavesOutWhatHasNoCounterpart) {
  const ScoredExperiment experiment;
  Anchor other_experiment = Published(0.5, std::nullopt);
  other_experiment.experiment = "another";
  Anchor other_metric = Published(0.5, std::nullopt);
  other_metric.metric = "ratio";
  Anchor other_data = Published(0.5, std::nullopt);
  other_data.dataset = "cifar10";
  Record failed = Scored("a", "quick", 0.9, 0);
  failed.status = "failed";
  EXPECT_TRUE(AnchorTable(experiment,
                          {other_experiment, other_metric, other_data},
                          {Scored("a", "quick", 0.9, 0)})
                  .rows.empty());
  EXPECT_TRUE(AnchorTable(experiment, {Published(0.5, std::nullopt)}, {failed})
                  .rows.empty());
}

// Every anchor of an experiment that there is finds its counterpart in a record
// of the kind that the experiment writes.
TEST(MetricFor, AnswersTheAnchorsOfItsExperiment) {
  for (const auto& experiment : AllExperiments()) {
    for (const Anchor& anchor : AllAnchors()) {
      if (anchor.experiment != experiment->name()) continue;
      // Of generators that were never published.
      if (absl::EndsWith(anchor.dataset, "_gan")) continue;
      Record record;
      record.dataset = anchor.dataset;
      record.variant = {{"norm", anchor.norm},
                        {"constraint", "stiefel"},
                        {"activation", "relu"},
                        {"hidden_layers", 1},
                        {"dimension", 128}};
      EXPECT_TRUE(experiment->MetricFor(anchor, record)) << anchor.id;
    }
  }
}

}  // namespace
}  // namespace lipschitz::experiments
