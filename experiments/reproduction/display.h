// One display for all the processes that work on a plan.
#pragma once

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "experiments/common/settings.h"

namespace lipschitz::experiments {

struct RunningRun {
  std::string name;
  // Of its steps that are done, in [0, 1].
  double share = 0.0;
};

struct PlanState {
  int total = 0;
  int ended = 0;  // failed ones and those that were done before included
  int failed = 0;
  std::vector<RunningRun> running;
  std::optional<double> seconds_left;
};

// "3 of 30 done, 1 failed, 2 running, 4 min 10 s left".
std::string Describe(const PlanState& state);

// A bar that says how far the plan is, and a line for every run that ends; as
// lines, the state every half minute.
class PlanDisplay {
 public:
  // `stream` is standard error outside tests.
  PlanDisplay(ProgressMode mode, std::FILE* stream);

  // Writes at most a few times a second.
  void Show(const PlanState& state);
  // A run has ended: one line stays.
  void RunEnded(const PlanState& state, const std::string& name,
                const std::string& summary);
  // A sentence of its own.
  void Notice(const std::string& sentence);
  // Takes the bar away.
  void Clear();

 private:
  ProgressMode mode_;
  std::FILE* stream_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point last_shown_;
};

}  // namespace lipschitz::experiments
