#include "experiments/common/run_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/files.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;

std::string Path() {
  return ::testing::TempDir() + "/run_lock_test/" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name() +
         "/fake/a-s0.lock";
}

std::optional<RunLock> Take(const std::string& path) {
  auto lock = RunLock::TryTake(path);
  EXPECT_TRUE(lock.ok()) << lock.status();
  return lock.ok() ? *std::move(lock) : std::nullopt;
}

TEST(RunLock, IsHeldByOneUntilItsEnd) {
  {
    const auto first = Take(Path());
    ASSERT_TRUE(first.has_value());
    EXPECT_TRUE(std::filesystem::exists(Path()));
    EXPECT_FALSE(Take(Path()).has_value());
    EXPECT_TRUE(std::filesystem::exists(Path()));
    EXPECT_TRUE(Take(Path() + "2").has_value());
  }
  EXPECT_FALSE(std::filesystem::exists(Path()));
  EXPECT_TRUE(Take(Path()).has_value());
}

TEST(RunLock, MovesWithItsHolder) {
  auto first = Take(Path());
  ASSERT_TRUE(first.has_value());
  {
    const RunLock second = *std::move(first);
    first.reset();
    EXPECT_FALSE(Take(Path()).has_value());
  }
  EXPECT_TRUE(Take(Path()).has_value());
}

TEST(RunLock, EndsWithAProcessThatIsKilled) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = RunLock::TryTake(Path());
    const char byte = lock.ok() && lock->has_value() ? 1 : 0;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char taken = 0;
  ASSERT_EQ(read(ready[0], &taken, 1), 1);
  EXPECT_EQ(taken, 1);
  EXPECT_FALSE(Take(Path()).has_value());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  // The file stays behind and is no hindrance.
  EXPECT_TRUE(std::filesystem::exists(Path()));
  EXPECT_TRUE(Take(Path()).has_value());
  EXPECT_FALSE(std::filesystem::exists(Path()));
}

// Whoever has the lock is alone, however often the file goes and comes.
TEST(RunLock, ManyWhoTakeItAtOnceAreAlone) {
  std::atomic<int> holders{0};
  std::atomic<int> together{0};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      // Until it was taken often enough, however busy the machine is.
      while (taken < 500) {
        const auto lock = RunLock::TryTake(Path());
        ASSERT_TRUE(lock.ok()) << lock.status();
        if (!lock->has_value()) continue;
        if (++holders != 1) ++together;
        ++taken;
        std::this_thread::yield();
        --holders;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, 0);
  EXPECT_GE(taken, 500);
}

TEST(RunLock, AFolderThatCannotBeIsNamed) {
  const std::string file = Path();
  ASSERT_TRUE(WriteFileAtomically(file, "in the way").ok());
  EXPECT_TRUE(FailsWith(RunLock::TryTake(file + "/below/a.lock"),
                        absl::StatusCode::kUnavailable, {file + "/below"}));
}

}  // namespace
}  // namespace lipschitz::experiments
