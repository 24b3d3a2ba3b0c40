#include "experiments/common/settings.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <malloc.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/blas.h"

namespace lipschitz::experiments {
namespace {

constexpr std::array<std::pair<Preset, const char*>, 3> kPresets = {{
    {Preset::kSmoke, "smoke"},
    {Preset::kQuick, "quick"},
    {Preset::kPaper, "paper"},
}};
constexpr std::array<std::pair<ProgressMode, const char*>, 4> kProgressModes = {
    {
        {ProgressMode::kAuto, "auto"},
        {ProgressMode::kBar, "bar"},
        {ProgressMode::kLines, "lines"},
        {ProgressMode::kNone, "none"},
    }};

std::string FirstWord(const std::filesystem::path& path) {
  std::ifstream stream(path);
  std::string word;
  stream >> word;
  return word;
}

// The numbers of the processors that this process may run on; none where they
// cannot be found out.
std::vector<int> AllowedProcessors() {
  std::vector<int> processors;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed)) processors.push_back(i);
  }
  return processors;
}

}  // namespace

std::string PresetName(Preset preset) {
  for (const auto& [value, name] : kPresets) {
    if (value == preset) return name;
  }
  return "unknown";
}

absl::StatusOr<Preset> ParsePreset(const std::string& name) {
  for (const auto& [value, known] : kPresets) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown preset '", name, "'; known: smoke, quick, paper"));
}

absl::StatusOr<ProgressMode> ParseProgressMode(const std::string& name) {
  for (const auto& [value, known] : kProgressModes) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown progress '", name, "'; known: auto, bar, lines, none"));
}

CommonSettings SettingsOf(Preset preset) {
  CommonSettings settings;
  settings.preset = preset;
  return settings;
}

std::string HowToGoOn(const CommonSettings& settings) {
  return settings.resume
             ? "the same command goes on from here"
             : "without --resume=false the same command keeps every record "
               "that is there, older ones too, and does the rest";
}

int PhysicalCores() {
  const std::vector<int> processors = AllowedProcessors();
  std::set<std::string> cores;
  for (const int processor : processors) {
    const std::filesystem::path topology =
        absl::StrCat("/sys/devices/system/cpu/cpu", processor, "/topology");
    const std::string core = FirstWord(topology / "core_id");
    if (core.empty()) continue;
    cores.insert(FirstWord(topology / "physical_package_id") + ":" + core);
  }
  const int logical =
      std::max(1, processors.empty()
                      ? static_cast<int>(std::thread::hardware_concurrency())
                      : static_cast<int>(processors.size()));
  return cores.empty() ? logical : static_cast<int>(cores.size());
}

absl::Status CheckSeed(uint64_t seed) {
  if (seed <= kLargestSeed) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--seed must be at most ", kLargestSeed, ", got ", seed));
}

absl::Status CheckThreads(int threads) {
  if (threads >= 0 && threads <= 1024) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--threads must be between 0 and 1024, got ", threads));
}

void SetSeed(uint64_t seed) { at::manual_seed(seed); }

void SetThreads(int threads) {
  const int count = threads > 0 ? threads : PhysicalCores();
  at::set_num_threads(count);
  SetBlasThreads(count);
}

void KeepFreedMemory() {
#ifdef __GLIBC__
  // The largest threshold that glibc takes; above it memory is mapped anew.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

absl::StatusOr<std::string> ResolveDevice(const std::string& device) {
  if (device == "cpu") return device;
  if (device == "auto") return at::hasCUDA() ? "cuda" : "cpu";
  if (device == "cuda") {
    if (at::hasCUDA()) return device;
    return absl::InvalidArgumentError(
        "--device=cuda: this LibTorch finds no CUDA device; use --device=cpu "
        "or --device=auto");
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown device '", device, "'; known: auto, cpu, cuda"));
}

}  // namespace lipschitz::experiments
