#include "experiments/common/settings.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/blas.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;

TEST(SettingsTest, PresetNamesParseBack) {
  for (const Preset preset : {Preset::kSmoke, Preset::kQuick, Preset::kPaper}) {
    const auto parsed = ParsePreset(PresetName(preset));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, preset);
  }
  EXPECT_EQ(PresetName(Preset::kSmoke), "smoke");
  EXPECT_EQ(PresetName(Preset::kQuick), "quick");
  EXPECT_EQ(PresetName(Preset::kPaper), "paper");
}

TEST(SettingsTest, WithoutResumeTheSameCommandWouldStartAnew) {
  CommonSettings settings;
  EXPECT_EQ(HowToGoOn(settings), "the same command goes on from here");
  settings.resume = false;
  EXPECT_EQ(HowToGoOn(settings),
            "without --resume=false the same command keeps every record that "
            "is there, older ones too, and does the rest");
}

TEST(SettingsTest, UnknownPresetIsAnErrorThatListsTheKnown) {
  for (const char* name : {"fast", "", "Quick", "quick "}) {
    EXPECT_TRUE(
        FailsWith(ParsePreset(name), absl::StatusCode::kInvalidArgument,
                  {"'" + std::string(name) + "'", "smoke, quick, paper"}));
  }
}

TEST(SettingsTest, ProgressModesParse) {
  EXPECT_EQ(*ParseProgressMode("auto"), ProgressMode::kAuto);
  EXPECT_EQ(*ParseProgressMode("bar"), ProgressMode::kBar);
  EXPECT_EQ(*ParseProgressMode("lines"), ProgressMode::kLines);
  EXPECT_EQ(*ParseProgressMode("none"), ProgressMode::kNone);
  EXPECT_TRUE(FailsWith(ParseProgressMode("loud"),
                        absl::StatusCode::kInvalidArgument,
                        {"'loud'", "auto, bar, lines, none"}));
}

TEST(SettingsTest, PhysicalCoresAreNoMoreThanProcessors) {
  EXPECT_GE(PhysicalCores(), 1);
  EXPECT_LE(PhysicalCores(),
            std::max(1, static_cast<int>(std::thread::hardware_concurrency())));
}

TEST(SettingsTest, OnlyCoresThatTheProcessMayUseCount) {
  cpu_set_t all;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  int last = 0;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &all)) last = i;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(PhysicalCores(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
  EXPECT_LE(PhysicalCores(), CPU_COUNT(&all));
}

TEST(SettingsTest, ThreadsAreThoseOfLibTorch) {
  SetThreads(2);
  EXPECT_EQ(at::get_num_threads(), 2);
  SetThreads(1);
  EXPECT_EQ(at::get_num_threads(), 1);
  SetThreads(3);
  SetThreads(0);
  EXPECT_EQ(at::get_num_threads(), PhysicalCores());
}

TEST(SettingsTest, ThreadsAreThoseOfTheBlasToo) {
  const at::Tensor a = at::ones({512, 512});
  for (const int threads : {2, 1}) {
    SetThreads(threads);
    at::mm(a, a);  // before a product OpenBLAS may look again
    if (OpenBlasThreads() == 0) GTEST_SKIP() << "not an OpenBLAS";
    EXPECT_LE(OpenBlasThreads(), threads);
    // To OpenBLAS 0.3.29 OMP_NUM_THREADS, which tests set to 1, is a limit.
    if (std::getenv("OMP_NUM_THREADS") == nullptr) {
      EXPECT_EQ(OpenBlasThreads(), threads);
    }
  }
}

TEST(SettingsTest, FreedMemoryIsKept) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer has an allocator of its own";
#endif
  KeepFreedMemory();
  // From now on memory of this size comes from the heap, which stays.
  constexpr size_t kBytes = 16 << 20;
  std::free(std::memset(std::malloc(kBytes), 1, kBytes));
  rusage before = {};
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < 10; ++i) {
    void* const block = std::malloc(kBytes);
    std::memset(block, 1, kBytes);
    // So that the compiler keeps both calls.
    EXPECT_EQ(static_cast<volatile char*>(block)[i * 1000], 1);
    std::free(block);
  }
  rusage after = {};
  getrusage(RUSAGE_SELF, &after);
  // One round alone touches 4096 pages of 4 KiB.
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 1000);
}

TEST(SettingsTest, SeedDecidesWhatIsDrawn) {
  const auto draw = [](uint64_t seed) {
    SetSeed(seed);
    return at::randn({8});
  };
  const at::Tensor first = draw(7);
  at::randn({3});
  EXPECT_TRUE(at::equal(draw(7), first));
  EXPECT_FALSE(at::equal(draw(8), first));
}

TEST(SettingsTest, AutoIsADeviceThatIsThere) {
  EXPECT_EQ(*ResolveDevice("cpu"), "cpu");
  EXPECT_EQ(*ResolveDevice("auto"), at::hasCUDA() ? "cuda" : "cpu");
}

TEST(SettingsTest, DeviceThatIsNotThereIsAnError) {
  if (at::hasCUDA()) {
    EXPECT_EQ(*ResolveDevice("cuda"), "cuda");
    return;
  }
  EXPECT_TRUE(FailsWith(ResolveDevice("cuda"),
                        absl::StatusCode::kInvalidArgument,
                        {"--device=cuda", "--device=cpu"}));
}

TEST(SettingsTest, UnknownDeviceIsAnErrorThatListsTheKnown) {
  for (const char* name : {"gpu", "", "cuda:0", "CPU"}) {
    EXPECT_TRUE(FailsWith(ResolveDevice(name),
                          absl::StatusCode::kInvalidArgument,
                          {"'" + std::string(name) + "'", "auto, cpu, cuda"}));
  }
}

}  // namespace
}  // namespace lipschitz::experiments
