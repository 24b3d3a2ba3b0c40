#include "experiments/reproduction/selection.h"

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;

const std::vector<std::string>& Experiments() {
  static const auto* const names = new std::vector<std::string>(
      {"mnist_robustness", "mnist_classification", "squares"});
  return *names;
}

const std::vector<RunNames>& Runs() {
  static const auto* const runs = new std::vector<RunNames>({
      {"mnist_robustness", "l2 maxmin", "l2-maxmin-smoke"},
      {"mnist_robustness", "linf relu", "linf-relu-smoke"},
      {"mnist_classification", "mnist none", "mnist-none-smoke"},
      {"squares", "polar-relu", "polar-relu-smoke"},
  });
  return *runs;
}

// Labels of the wanted runs.
std::set<std::string> Wanted(const std::vector<std::string>& only,
                             const std::vector<std::string>& skip = {}) {
  const Selection selection(only, skip);
  std::set<std::string> labels;
  for (const RunNames& run : Runs()) {
    if (!selection.WantsRun(run)) continue;
    labels.insert(run.label);
    EXPECT_TRUE(selection.WantsExperiment(run.experiment)) << run.experiment;
  }
  EXPECT_TRUE(selection.Check(Experiments(), Runs()).ok());
  return labels;
}

using Labels = std::set<std::string>;

TEST(Selection, EmptyIsEverything) { EXPECT_EQ(Wanted({}).size(), 4u); }

TEST(Selection, GlobsWithoutASlashNameExperiments) {
  EXPECT_EQ(Wanted({"squares"}), Labels({"polar-relu"}));
  EXPECT_EQ(Wanted({"mnist_*"}),
            Labels({"l2 maxmin", "linf relu", "mnist none"}));
  EXPECT_EQ(Wanted({"mnist_[rc]*", "square?"}).size(), 4u);
  EXPECT_EQ(Wanted({}, {"mnist_*"}), Labels({"polar-relu"}));
}

TEST(Selection, GlobsWithASlashNameRunsByLabelOrSlug) {
  EXPECT_EQ(Wanted({"mnist_robustness/l2*"}), Labels({"l2 maxmin"}));
  EXPECT_EQ(Wanted({"mnist_robustness/linf-relu-smoke"}),
            Labels({"linf relu"}));
  EXPECT_EQ(Wanted({"*/*relu*"}), Labels({"linf relu", "polar-relu"}));
  EXPECT_EQ(Wanted({"mnist_*"}, {"*/*relu*"}),
            Labels({"l2 maxmin", "mnist none"}));
}

TEST(Selection, ExperimentsThatCannotBeWantedAreKnownBeforeTheirRuns) {
  const Selection only({"mnist_robustness/l2*"}, {});
  EXPECT_TRUE(only.WantsExperiment("mnist_robustness"));
  EXPECT_FALSE(only.WantsExperiment("squares"));
  // Some of its runs may be left.
  const Selection skip({}, {"squares/polar*", "mnist_*"});
  EXPECT_TRUE(skip.WantsExperiment("squares"));
  EXPECT_FALSE(skip.WantsExperiment("mnist_classification"));
}

absl::Status Check(const std::vector<std::string>& only,
                   const std::vector<std::string>& skip) {
  return Selection(only, skip).Check(Experiments(), Runs());
}

TEST(Selection, AGlobThatMatchesNothingIsAnErrorThatListsWhatThereIs) {
  using absl::StatusCode;
  EXPECT_TRUE(FailsWith(Check({"squares", "cubes"}, {}),
                        StatusCode::kInvalidArgument,
                        {"--only", "'cubes'", "mnist_robustness",
                         "mnist_classification", "squares"}));
  EXPECT_TRUE(FailsWith(Check({}, {"cubes/*"}), StatusCode::kInvalidArgument,
                        {"--skip", "'cubes/*'", "squares"}));
  EXPECT_TRUE(FailsWith(Check({"mnist_robustness/l3*"}, {}),
                        StatusCode::kInvalidArgument,
                        {"'mnist_robustness/l3*'", "mnist_robustness/l2 maxmin",
                         "mnist_robustness/linf relu"}));
}

TEST(Shard, PartsAreDisjointAndTogetherTheWhole) {
  for (const int64_t count : {1, 2, 3, 7}) {
    for (int64_t position = 0; position < 20; ++position) {
      int having = 0;
      for (int64_t index = 1; index <= count; ++index) {
        having += Shard{index, count}.Has(position) ? 1 : 0;
      }
      EXPECT_EQ(having, 1) << position << " of " << count;
    }
  }
  EXPECT_TRUE((Shard{2, 3}.Has(1)));
  EXPECT_TRUE((Shard{2, 3}.Has(4)));
}

TEST(Shard, IsParsedOrRefused) {
  const auto shard = ParseShard("2/8");
  ASSERT_TRUE(shard.ok()) << shard.status();
  EXPECT_EQ(shard->index, 2);
  EXPECT_EQ(shard->count, 8);
  for (const std::string bad :
       {"", "2", "0/3", "4/3", "-1/3", "1/0", "a/b", "1/2/3", "1/"}) {
    EXPECT_TRUE(FailsWith(ParseShard(bad), absl::StatusCode::kInvalidArgument,
                          {"--shard", "'" + bad + "'"}));
  }
}

}  // namespace
}  // namespace lipschitz::experiments
