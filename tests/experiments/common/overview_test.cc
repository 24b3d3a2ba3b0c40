#include "experiments/common/overview.h"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/finding.h"
#include "experiments/common/record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/experiments/common/fake_experiment.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Folder() {
  return ::testing::TempDir() + "/overview_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

// Claims that the score of its one record is above 1/2.
class Claiming : public FakeExperiment {
 public:
  About Description() const override {
    return {"The score | is high.", "Trained. Measured.", "In nothing."};
  }
  std::vector<Finding> Findings(
      const std::vector<Record>& records) const override {
    std::vector<Finding> findings;
    for (const Record& record : records) {
      const double score = record.metrics.at("score");
      findings.push_back({"The score is high.", std::to_string(score),
                          score > 0.5 ? ClaimVerdict::kReproduced
                                      : ClaimVerdict::kNotReproduced,
                          "fake_scores"});
    }
    return findings;
  }
};

std::string PageOf(std::unique_ptr<Experiment> experiment) {
  std::vector<std::unique_ptr<Experiment>> experiments;
  experiments.push_back(std::move(experiment));
  const auto page = OverviewPage(experiments, Folder());
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *page : "";
}

void WriteScore(double score, const std::string& slug = "a",
                const std::string& status = "ok") {
  Record record;
  record.experiment = "fake";
  record.slug = slug;
  record.preset = "quick";
  record.status = status;
  record.metrics = {{"score", score}};
  record.wall_seconds = 90.0;
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
}

TEST(Overview, HasARowForEveryClaimAndASectionForEveryExperiment) {
  WriteScore(0.75);
  const std::string page = PageOf(std::make_unique<Claiming>());
  EXPECT_THAT(page,
              HasSubstr("| The score is high. | "
                        "[fake](../experiments/fake/README.md) | 0.750000 | "
                        "**reproduced** |"));
  EXPECT_THAT(page, HasSubstr("**Claim.** The score | is high.\n"));
  EXPECT_THAT(page, HasSubstr("**Method.** Trained. Measured.\n"));
  EXPECT_THAT(page, HasSubstr("**Differs from the paper.** In nothing.\n"));
  EXPECT_THAT(page, HasSubstr("tables/fake.md"));
  EXPECT_THAT(page, HasSubstr("| 1    | 0      | 1 min 30 s | 90.0 "));
  // There is no such figure.
  EXPECT_THAT(page, Not(HasSubstr("fake_scores")));
}

TEST(Overview, FollowsTheRecords) {
  WriteScore(0.25);
  EXPECT_THAT(PageOf(std::make_unique<Claiming>()),
              HasSubstr("| 0.250000 | not "));
  WriteScore(0.75, "b", "failed");
  EXPECT_THAT(PageOf(std::make_unique<Claiming>()),
              HasSubstr("| 2    | 1      | 3 min 00 s | 90.0 "));
}

TEST(Overview, LinksFiguresThatAreThere) {
  WriteScore(0.75);
  ASSERT_TRUE(
      WriteFileAtomically(Folder() + "/figures/fake_scores.png", "x").ok());
  const std::string page = PageOf(std::make_unique<Claiming>());
  EXPECT_THAT(page, HasSubstr("[figure](figures/fake_scores.png)"));
  EXPECT_THAT(page, HasSubstr("![fake_scores](figures/fake_scores.png)"));
}

TEST(Overview, SaysWhereNothingIsClaimedAndWhereThereAreNoRecords) {
  EXPECT_THAT(PageOf(std::make_unique<FakeExperiment>()),
              HasSubstr("Without records here: fake."));
  WriteScore(0.75);
  const std::string page = PageOf(std::make_unique<FakeExperiment>());
  EXPECT_THAT(page, HasSubstr("No claim of it is checked on this page."));
  EXPECT_THAT(page, Not(HasSubstr("Without records")));
}

TEST(Overview, IsWrittenWhole) {
  WriteScore(0.75);
  std::vector<std::unique_ptr<Experiment>> experiments;
  experiments.push_back(std::make_unique<Claiming>());
  ASSERT_TRUE(WriteOverview(experiments, Folder()).ok());
  EXPECT_EQ(*ReadFile(Folder() + "/README.md"),
            *OverviewPage(experiments, Folder()));
  // And again over itself.
  EXPECT_TRUE(WriteOverview(experiments, Folder()).ok());
}

TEST(Overview, RecordThatLacksWhatFindingsReadIsNamed) {
  WriteScore(0.75);
  Record record;
  record.experiment = "fake";
  record.slug = "without_score";
  record.preset = "quick";
  ASSERT_TRUE(WriteRecord(Folder(), record).ok());
  std::vector<std::unique_ptr<Experiment>> experiments;
  experiments.push_back(std::make_unique<Claiming>());
  EXPECT_TRUE(FailsWith(
      OverviewPage(experiments, Folder()).status(), absl::StatusCode::kInternal,
      {Folder() + "/records/fake/without_score-s0.json", "lacks"}));
  EXPECT_TRUE(FailsWith(WriteOverview(experiments, Folder()),
                        absl::StatusCode::kInternal, {"without_score"}));
  EXPECT_TRUE(absl::IsNotFound(ReadFile(Folder() + "/README.md").status()));
}

// --results_dir=. in somebody's project.
TEST(Overview, IsNotWrittenOverAnotherPage) {
  WriteScore(0.75);
  std::vector<std::unique_ptr<Experiment>> experiments;
  experiments.push_back(std::make_unique<Claiming>());
  const std::string path = Folder() + "/README.md";
  for (const std::string page : {"# My project\n", "", "# Results\n"}) {
    ASSERT_TRUE(WriteFileAtomically(path, page).ok());
    EXPECT_TRUE(FailsWith(WriteOverview(experiments, Folder()),
                          absl::StatusCode::kFailedPrecondition,
                          {path, "--results_dir"}));
    EXPECT_EQ(*ReadFile(path), page);
  }
  ASSERT_TRUE(std::filesystem::remove(path));
}

}  // namespace
}  // namespace lipschitz::experiments
