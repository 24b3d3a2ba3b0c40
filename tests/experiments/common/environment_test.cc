#include "experiments/common/environment.h"

#include <ATen/Parallel.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiments/common/record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"

namespace lipschitz::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string Folder() {
  return ::testing::TempDir() + "/environment_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name();
}

TEST(EnvironmentTest, HasItsKeysInOrder) {
  const Json environment = DescribeEnvironment("cpu");
  std::vector<std::string> keys;
  for (const auto& item : environment.items()) keys.push_back(item.key());
  EXPECT_THAT(keys, ElementsAre("libtorch", "blas", "processor", "compiler",
                                "threads", "device", "commit"));
}

TEST(EnvironmentTest, SaysWhatRuns) {
  at::set_num_threads(2);
  const Json two = DescribeEnvironment("cuda");
  at::set_num_threads(1);
  const Json one = DescribeEnvironment("cpu");
  EXPECT_EQ(two["threads"], 2);
  EXPECT_EQ(one["threads"], 1);
  EXPECT_EQ(two["device"], "cuda");
  EXPECT_EQ(one["device"], "cpu");
  EXPECT_THAT(one["libtorch"].get<std::string>(),
              MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
  EXPECT_THAT(one["compiler"].get<std::string>(), MatchesRegex("g.. [0-9].*"));
  EXPECT_FALSE(one["blas"].get<std::string>().empty());
  EXPECT_FALSE(one["commit"].get<std::string>().empty());
}

TEST(EnvironmentTest, TellsNoPaths) {
  const Json environment = DescribeEnvironment("cpu");
  for (const auto& item : environment.items()) {
    EXPECT_THAT(item.value().dump(), Not(HasSubstr("/"))) << item.key();
  }
}

// The commit is asked for once in a process: every case has one of its own.
class CommitTest : public ::testing::Test {
 protected:
  CommitTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  void SetUp() override {
    if (std::system("git --version > /dev/null 2>&1") != 0) {
      FAIL() << "there is no git; tools/setup.sh installs it";
    }
  }

  // A workspace with one commit, of source.cc and results/record.json.
  static std::string Workspace() {
    const std::string folder = Folder() + "/workspace";
    std::filesystem::remove_all(folder);
    WriteFileAtomically(folder + "/source.cc", "1").IgnoreError();
    WriteFileAtomically(folder + "/results/record.json", "1").IgnoreError();
    const std::string command = absl::StrCat(
        "cd '", folder, "' && git init -q . && git add . && ",
        "git -c user.name=a -c user.email=a@b commit -q -m one && ",
        "git rev-parse HEAD > .git/expected");
    if (std::system(command.c_str()) != 0) std::abort();
    return folder;
  }

  // Exits with 0 when the environment says HEAD's short hash and `suffix`.
  [[noreturn]] static void ExitWithComparison(const std::string& workspace,
                                              const std::string& suffix) {
    setenv("BUILD_WORKSPACE_DIRECTORY", workspace.c_str(), 1);
    const std::string commit = DescribeEnvironment("cpu")["commit"];
    const std::string expected =
        ReadFile(workspace + "/.git/expected")->substr(0, 12) + suffix;
    std::fprintf(stderr, "commit %s, expected %s\n", commit.c_str(),
                 expected.c_str());
    std::exit(commit == expected ? 0 : 1);
  }
};

TEST_F(CommitTest, IsTheShortHashOfTheWorkspace) {
  EXPECT_EXIT(ExitWithComparison(Workspace(), ""), ExitedWithCode(0), "commit");
}

TEST_F(CommitTest, ChangedSourceMakesItDirty) {
  EXPECT_EXIT(
      {
        const std::string workspace = Workspace();
        WriteFileAtomically(workspace + "/source.cc", "2").IgnoreError();
        ExitWithComparison(workspace, "-dirty");
      },
      ExitedWithCode(0), "commit");
}

TEST_F(CommitTest, ChangedResultsAndNewFilesDoNot) {
  EXPECT_EXIT(
      {
        const std::string workspace = Workspace();
        WriteFileAtomically(workspace + "/results/record.json", "2")
            .IgnoreError();
        WriteFileAtomically(workspace + "/new.cc", "1").IgnoreError();
        ExitWithComparison(workspace, "");
      },
      ExitedWithCode(0), "commit");
}

TEST_F(CommitTest, WorkspaceMayHaveAQuoteInItsName) {
  EXPECT_EXIT(
      {
        const std::string quoted = Folder() + "/o'brien";
        std::filesystem::remove_all(quoted);
        std::filesystem::rename(Workspace(), quoted);
        ExitWithComparison(quoted, "");
      },
      ExitedWithCode(0), "commit");
}

// Then nobody knows whether something was changed.
TEST_F(CommitTest, IsUnknownWhereGitCannotCompare) {
  EXPECT_EXIT(
      {
        const std::string workspace = Workspace();
        WriteFileAtomically(workspace + "/.git/index", "damaged").IgnoreError();
        setenv("BUILD_WORKSPACE_DIRECTORY", workspace.c_str(), 1);
        const std::string commit = DescribeEnvironment("cpu")["commit"];
        std::exit(commit == "unknown" ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

// A program that is started by hand in the checkout of something else.
TEST_F(CommitTest, IsNotThatOfAnotherProject) {
  EXPECT_EXIT(
      {
        std::filesystem::current_path(Workspace());
        unsetenv("BUILD_WORKSPACE_DIRECTORY");
        const std::string commit = DescribeEnvironment("cpu")["commit"];
        std::exit(commit == "unknown" ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

TEST_F(CommitTest, IsUnknownOutsideARepository) {
  EXPECT_EXIT(
      {
        const std::string folder = Folder() + "/bare";
        CreateFolder(folder).IgnoreError();
        setenv("BUILD_WORKSPACE_DIRECTORY", folder.c_str(), 1);
        setenv("GIT_CEILING_DIRECTORIES", Folder().c_str(), 1);
        const std::string commit = DescribeEnvironment("cpu")["commit"];
        std::exit(commit == "unknown" ? 0 : 1);
      },
      ExitedWithCode(0), "");
}

}  // namespace
}  // namespace lipschitz::experiments
