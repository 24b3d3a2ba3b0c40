#include "experiments/common/flags.h"

#include <gflags/gflags.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/paths.h"
#include "experiments/common/settings.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::testing::ExitedWithCode;

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    unsetenv("BUILD_WORKING_DIRECTORY");
    unsetenv("BUILD_WORKSPACE_DIRECTORY");
  }

  // The settings of a command line.
  static absl::StatusOr<CommonSettings> Parse(
      std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "program");
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ParseFlags(static_cast<int>(arguments.size()), pointers.data(), "usage");
    return CommonSettingsFromFlags();
  }

 private:
  // Puts every flag back.
  gflags::FlagSaver saver_;
};

TEST_F(FlagsTest, DefaultsAreThoseOfTheDesign) {
  const auto settings = Parse({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->preset, Preset::kQuick);
  EXPECT_EQ(settings->seed, 0u);
  EXPECT_EQ(settings->results_dir, "results");
  EXPECT_EQ(settings->data_dir, "");
  EXPECT_EQ(settings->dataset, "auto");
  EXPECT_EQ(settings->threads, 0);
  EXPECT_EQ(settings->device, *ResolveDevice("auto"));
  EXPECT_TRUE(settings->resume);
  EXPECT_EQ(settings->progress, ProgressMode::kAuto);
  EXPECT_EQ(settings->checkpoint_steps, 0);
}

TEST_F(FlagsTest, EveryFlagArrives) {
  const auto settings =
      Parse({"--preset=paper", "--seed=4294967295", "--results_dir=/r",
             "--data_dir=/d", "--dataset=mnist", "--threads=3", "--device=cpu",
             "--resume=false", "--progress=none", "--checkpoint_steps=7"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->preset, Preset::kPaper);
  EXPECT_EQ(settings->seed, 4294967295u);
  EXPECT_EQ(settings->results_dir, "/r");
  EXPECT_EQ(settings->data_dir, "/d");
  EXPECT_EQ(settings->dataset, "mnist");
  EXPECT_EQ(settings->threads, 3);
  EXPECT_EQ(settings->device, "cpu");
  EXPECT_FALSE(settings->resume);
  EXPECT_EQ(settings->progress, ProgressMode::kNone);
  EXPECT_EQ(settings->checkpoint_steps, 7);
}

TEST_F(FlagsTest, FlagFileWorks) {
  const std::string path = ::testing::TempDir() + "/flags_test/flags.txt";
  ASSERT_TRUE(WriteFileAtomically(path, "--preset=smoke\n--seed=4\n").ok());
  const auto settings = Parse({"--flagfile=" + path});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->preset, Preset::kSmoke);
  EXPECT_EQ(settings->seed, 4u);
}

TEST_F(FlagsTest, ValuesThatMakeNoSenseAreErrorsThatShowThem) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--preset=fast", "'fast'"},
      {"--device=gpu", "'gpu'"},
      {"--progress=loud", "'loud'"},
      {"--threads=-1", "--threads"},
      {"--threads=1025", "--threads"},
      {"--checkpoint_steps=-1", "--checkpoint_steps"}};
  for (const auto& [argument, part] : cases) {
    const gflags::FlagSaver saver;
    EXPECT_TRUE(FailsWith(Parse({argument}), absl::StatusCode::kInvalidArgument,
                          {part}));
  }
}

TEST_F(FlagsTest, UnknownAndMalformedFlagsExitWithTwo) {
  EXPECT_EXIT(Parse({"--no_such_flag"}).status().IgnoreError(),
              ExitedWithCode(2), "no_such_flag");
  EXPECT_EXIT(Parse({"--seed=many"}).status().IgnoreError(), ExitedWithCode(2),
              "many");
  EXPECT_EXIT(Parse({"--seed=-1"}).status().IgnoreError(), ExitedWithCode(2),
              "-1");
  EXPECT_EXIT(Parse({"--seed=1", "paper"}).status().IgnoreError(),
              ExitedWithCode(2), "'paper' is not a flag");
}

TEST_F(FlagsTest, ARelativeFlagFileIsTheUsers) {
  const std::string folder = ::testing::TempDir() + "/flags";
  ASSERT_TRUE(WriteFileAtomically(folder + "/my.flags", "--seed=17\n").ok());
  setenv("BUILD_WORKING_DIRECTORY", folder.c_str(), 1);
  const auto settings = Parse({"--flagfile=my.flags"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->seed, 17u);
}

TEST_F(FlagsTest, HelpExitsWithZero) {
  EXPECT_EXIT(Parse({"--help"}).status().IgnoreError(), ExitedWithCode(0), "");
  EXPECT_EXIT(Parse({"--version"}).status().IgnoreError(), ExitedWithCode(0),
              "");
}

TEST_F(FlagsTest, PathsAreTheUsersAlsoUnderBazelRun) {
  EXPECT_EQ(UserPath("a/b"), "a/b");
  EXPECT_EQ(WorkspacePath("a/b"), "a/b");
  setenv("BUILD_WORKING_DIRECTORY", "/home/user/below", 1);
  setenv("BUILD_WORKSPACE_DIRECTORY", "/home/user", 1);
  EXPECT_EQ(UserPath("a/b"), "/home/user/below/a/b");
  EXPECT_EQ(UserPath("/a/b"), "/a/b");
  EXPECT_EQ(WorkspacePath("a/b"), "/home/user/a/b");
  const auto settings = Parse({"--data_dir=data"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->results_dir, "/home/user/results");
  EXPECT_EQ(settings->data_dir, "/home/user/below/data");
}

}  // namespace
}  // namespace lipschitz::experiments
