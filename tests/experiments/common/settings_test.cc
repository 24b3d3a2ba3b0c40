#include "experiments/common/settings.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "gtest/gtest.h"
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

TEST(SettingsTest, ThreadsAreThoseOfLibTorch) {
  SetThreads(2);
  EXPECT_EQ(at::get_num_threads(), 2);
  SetThreads(1);
  EXPECT_EQ(at::get_num_threads(), 1);
  SetThreads(3);
  SetThreads(0);
  EXPECT_EQ(at::get_num_threads(), PhysicalCores());
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
