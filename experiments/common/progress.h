// Progress of a plan of runs on standard error.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "experiments/common/settings.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {

// Everything that a person watches goes through one of these: a bar with rate
// and time left on a terminal, plain lines otherwise.
class ProgressDisplay {
 public:
  // `stream` is standard error outside tests.
  ProgressDisplay(ProgressMode mode, std::FILE* stream);

  // A run begins: number `index` (from 1) of `count`.
  void BeginRun(int index, int count, const std::string& label);
  // After every optimiser step of it; writes at most a few times a second, and
  // as lines at most every ten seconds.
  void Step(const TrainingProgress& progress);
  // The run is over: one line stays.
  void EndRun(const std::string& summary);
  // A sentence of its own.
  void Notice(const std::string& sentence);

 private:
  void ClearBar();
  std::string Prefix() const;

  ProgressMode mode_;
  std::FILE* stream_;
  int index_ = 0;
  int count_ = 0;
  std::string label_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point last_shown_;
};

// "1 h 02 min", "3 min 20 s", "12 s".
std::string FormatDuration(double seconds);

}  // namespace lipschitz::experiments
