// Progress of a plan of runs on standard error.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "experiments/common/settings.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {

// The longest line that a terminal does not break; 79 characters where `stream`
// is none or does not say.
size_t LineWidth(std::FILE* stream);

// Shows `text` in place of the terminal's present line, cut to LineWidth: a
// line that is broken could not be taken back.
void ShowOverLine(std::FILE* stream, const std::string& text);

// What is told of a plan while it runs.
class RunObserver {
 public:
  virtual ~RunObserver() = default;

  // A run begins: number `index` (from 1) of `count`.
  virtual void BeginRun(int index, int count, const std::string& label) = 0;
  // After every optimiser step of it.
  virtual void Step(const TrainingProgress& progress) = 0;
  // The run is over.
  virtual void EndRun(const std::string& summary) = 0;
  // A sentence of its own.
  virtual void Notice(const std::string& sentence) = 0;
};

// Everything that a person watches of one run after another: a bar with rate
// and time left on a terminal, plain lines otherwise.
class ProgressDisplay : public RunObserver {
 public:
  // `stream` is standard error outside tests.
  ProgressDisplay(ProgressMode mode, std::FILE* stream);

  void BeginRun(int index, int count, const std::string& label) override;
  // Writes at most a few times a second, and as lines at most every ten
  // seconds.
  void Step(const TrainingProgress& progress) override;
  // One line stays.
  void EndRun(const std::string& summary) override;
  void Notice(const std::string& sentence) override;

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
