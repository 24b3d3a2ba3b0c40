#include "experiments/reproduction/plan.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/common/runner.h"
#include "experiments/common/settings.h"
#include "experiments/reproduction/selection.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/experiments/common/fake_experiment.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Folder(const std::string& name = "results") {
  return ::testing::TempDir() + "/plan_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name() + "/" +
         name;
}

CommonSettings Settings() {
  CommonSettings settings;
  settings.results_dir = Folder();
  return settings;
}

// One experiment, "fake", with the runs a, b and c.
ExperimentList Experiments() {
  auto experiment = std::make_unique<FakeExperiment>();
  for (const char* slug : {"a", "b", "c"}) {
    experiment->runs.push_back(FailingRun(slug, absl::OkStatus()));
  }
  ExperimentList list;
  list.push_back(std::move(experiment));
  return list;
}

std::vector<std::string> Names(const std::vector<Task>& tasks) {
  std::vector<std::string> names;
  for (const Task& task : tasks) names.push_back(TaskName(task));
  return names;
}

Record RecordOf(const Task& task, double seconds) {
  Record record;
  record.experiment = task.experiment->name();
  record.slug = task.run.slug;
  record.seed = task.seed;
  record.preset = PresetName(task.preset);
  record.variant = task.run.variant;
  record.config = task.run.config;
  record.wall_seconds = seconds;
  return record;
}

TEST(MakeTasksTest, IsSeedBySeed) {
  const ExperimentList experiments = Experiments();
  CommonSettings settings = Settings();
  settings.seed = 4;
  const auto tasks = MakeTasks(experiments, settings, 2, Selection({}, {}));
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  EXPECT_THAT(Names(*tasks),
              ElementsAre("fake/a-s4", "fake/b-s4", "fake/c-s4", "fake/a-s5",
                          "fake/b-s5", "fake/c-s5"));
}

TEST(MakeTasksTest, HasWhatIsSelected) {
  const ExperimentList experiments = Experiments();
  const auto tasks =
      MakeTasks(experiments, Settings(), 1, Selection({"fake"}, {"fake/b"}));
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  EXPECT_THAT(Names(*tasks), ElementsAre("fake/a-s0", "fake/c-s0"));
  EXPECT_TRUE(FailsWith(
      MakeTasks(experiments, Settings(), 1, Selection({"fake/d"}, {})),
      absl::StatusCode::kInvalidArgument, {"'fake/d'", "fake/label of a"}));
  EXPECT_TRUE(
      FailsWith(MakeTasks(experiments, Settings(), 1, Selection({}, {"f*"})),
                absl::StatusCode::kInvalidArgument, {"nothing to run"}));
}

TEST(MakeTasksTest, WhatCannotBePlannedIsNamedAndOnlyAskedWhenWanted) {
  auto broken = std::make_unique<FakeExperiment>();
  broken->plan_status = absl::NotFoundError("no such dataset");
  ExperimentList experiments;
  experiments.push_back(std::move(broken));
  EXPECT_TRUE(
      FailsWith(MakeTasks(experiments, Settings(), 1, Selection({}, {})),
                absl::StatusCode::kNotFound, {"fake", "no such dataset"}));
  EXPECT_TRUE(FailsWith(
      MakeTasks(experiments, Settings(), 1, Selection({"other"}, {})),
      absl::StatusCode::kInvalidArgument, {"'other'", "there are fake"}));
}

TEST(OfShardTest, DoesNotDependOnWhatIsDone) {
  const ExperimentList experiments = Experiments();
  const auto tasks = MakeTasks(experiments, Settings(), 2, Selection({}, {}));
  ASSERT_TRUE(tasks.ok());
  EXPECT_THAT(Names(OfShard(*tasks, {2, 4})),
              ElementsAre("fake/b-s0", "fake/c-s1"));
  EXPECT_EQ(OfShard(*tasks, {1, 1}).size(), 6u);
  EXPECT_TRUE(OfShard(*tasks, {7, 7}).empty());
}

TEST(LookUpTest, SaysWhatIsDoneAndHowLongTheRestTakes) {
  const ExperimentList experiments = Experiments();
  const auto tasks = MakeTasks(experiments, Settings(), 1, Selection({}, {}));
  ASSERT_TRUE(tasks.ok());
  ASSERT_TRUE(WriteRecord(Folder(), RecordOf((*tasks)[0], 30)).ok());
  Record failed = RecordOf((*tasks)[1], 99);
  failed.status = "failed";
  ASSERT_TRUE(WriteRecord(Folder(), failed).ok());
  // Of another seed, in another folder.
  Record other = RecordOf((*tasks)[1], 10);
  other.seed = 8;
  ASSERT_TRUE(WriteRecord(Folder("committed"), other).ok());

  auto plan = LookUp(*tasks, Settings(), {Folder("committed")});
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_TRUE(plan[0].done);
  EXPECT_FALSE(plan[1].done);
  EXPECT_FALSE(plan[2].done);
  EXPECT_DOUBLE_EQ(*plan[1].estimate, 10.0);
  EXPECT_DOUBLE_EQ(*plan[2].estimate, 20.0);
  // The longest first.
  EXPECT_THAT(Schedule(plan), ElementsAre(2, 1));
  const std::string text = PlanTable(plan, 2).ToMarkdown();
  EXPECT_THAT(text, HasSubstr("3 runs: 1 done, 2 to do, about 20 s with "
                              "--jobs=2"));
  EXPECT_THAT(text, HasSubstr("| fake       | label of a |         | 0    | "
                              "quick  | done  | 30.0    |"));

  // The same folder twice counts once.
  plan = LookUp(*tasks, Settings(), {Folder(), Folder("committed")});
  EXPECT_DOUBLE_EQ(*plan[2].estimate, 20.0);

  CommonSettings again = Settings();
  again.resume = false;
  EXPECT_FALSE(LookUp(*tasks, again, {})[0].done);
}

TEST(LookUpTest, WhatNothingIsKnownOfComesFirst) {
  const ExperimentList experiments = Experiments();
  const auto tasks = MakeTasks(experiments, Settings(), 1, Selection({}, {}));
  ASSERT_TRUE(tasks.ok());
  std::vector<PlannedTask> plan = LookUp(*tasks, Settings(), {});
  EXPECT_THAT(Schedule(plan), ElementsAre(0, 1, 2));
  EXPECT_THAT(PlanTable(plan, 1).ToMarkdown(),
              HasSubstr("and 3 runs of unknown length"));
  plan[0].estimate = 3.0;
  plan[2].estimate = 5.0;
  EXPECT_THAT(Schedule(plan), ElementsAre(1, 2, 0));
}

// Another configuration is another run, and a broken record none.
TEST(LookUpTest, OnlyOkRecordsOfTheSameConfigurationAreDone) {
  const ExperimentList experiments = Experiments();
  auto tasks = MakeTasks(experiments, Settings(), 1, Selection({}, {}));
  ASSERT_TRUE(tasks.ok());
  for (const Task& task : *tasks) {
    ASSERT_TRUE(WriteRecord(Folder(), RecordOf(task, 1)).ok());
  }
  (*tasks)[0].run.config["version"] = 2;
  ASSERT_TRUE(WriteFileAtomically(RecordPath(Folder(), "fake", "b", 0),
                                  "{\"schema\": 1, \"exp")
                  .ok());
  const auto plan = LookUp(*tasks, Settings(), {});
  EXPECT_FALSE(plan[0].done);
  EXPECT_FALSE(plan[1].done);
  EXPECT_TRUE(plan[2].done);
}

}  // namespace
}  // namespace lipschitz::experiments
