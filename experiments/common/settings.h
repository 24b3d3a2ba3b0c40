// What every experiment is run with.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz::experiments {

enum class Preset {
  kSmoke,  // seconds: what tests run
  kQuick,  // minutes on two cores
  kPaper,  // the paper's sizes, or the nearest documented
};

std::string PresetName(Preset preset);
absl::StatusOr<Preset> ParsePreset(const std::string& name);

enum class ProgressMode {
  kAuto,   // a bar on a terminal, otherwise lines
  kBar,    //
  kLines,  //
  kNone,   //
};

absl::StatusOr<ProgressMode> ParseProgressMode(const std::string& name);

// LibTorch's generator on the CPU takes 32 bits and would drop the others.
inline constexpr uint64_t kLargestSeed = 0xffffffff;

struct CommonSettings {
  Preset preset = Preset::kQuick;
  uint64_t seed = 0;
  std::string results_dir;
  std::string data_dir;
  std::string dataset = "auto";
  // 0: the number of physical cores.
  int threads = 0;
  // "auto", "cpu" or "cuda".
  std::string device = "auto";
  bool resume = true;
  ProgressMode progress = ProgressMode::kAuto;
  // Optimiser steps between checkpoints, beside the one every 30 seconds; 0:
  // none.
  int64_t checkpoint_steps = 0;
};

// The defaults, with a preset.
CommonSettings SettingsOf(Preset preset);

// What continues after a stop, as a sentence: the same command, or what it does
// without --resume=false.
std::string HowToGoOn(const CommonSettings& settings);

// The number of cores of this machine that the process may run on (taskset, a
// cluster's job), hyper-threads not counted; at least 1.
int PhysicalCores();

// InvalidArgument for a value of --seed or --threads that cannot be used.
absl::Status CheckSeed(uint64_t seed);
absl::Status CheckThreads(int threads);

// Seeds LibTorch's generators and sets the number of threads of LibTorch and
// its BLAS. Called before anything is built. OMP_NUM_THREADS in the environment
// may hold the BLAS to fewer.
void SetSeed(uint64_t seed);
void SetThreads(int threads);

// Lets the process keep up to 1 GiB of freed memory for what it allocates next.
// A training allocates the same tensors in every step; without this glibc gives
// each large one back to the system, and the next step pays for its pages
// again.
void KeepFreedMemory();

// "cpu" or "cuda" from CommonSettings::device; InvalidArgument for a device
// that is unknown or not there.
absl::StatusOr<std::string> ResolveDevice(const std::string& device);

}  // namespace lipschitz::experiments
