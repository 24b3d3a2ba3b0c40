// How long runs will take, from the records of others.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/common/record.h"
#include "experiments/common/runner.h"

namespace lipschitz::experiments {

class CostEstimates {
 public:
  // Failed records say nothing of how long a run takes, and are ignored.
  void Add(const Record& record);

  // Seconds: the mean over the records of the same configuration, of any seed;
  // without them over those that differ in the dataset alone; without these
  // over the standard ones of the same experiment and preset; else none.
  std::optional<double> Seconds(const Task& task) const;

 private:
  struct Mean {
    double sum = 0.0;
    int count = 0;
  };
  std::map<std::string, Mean> means_;  // by what the records have in common
};

// A run that is not done yet.
struct PendingRun {
  std::optional<double> estimate;
  // Seconds since it was begun.
  double elapsed = 0.0;
};

// What finished runs say of estimates.
class Pace {
 public:
  void Add(std::optional<double> estimate, double seconds);

  // Seconds that `jobs` processes will need for the rest; none where nothing is
  // known of one of the runs.
  std::optional<double> SecondsLeft(const std::vector<PendingRun>& pending,
                                    int jobs) const;

 private:
  // Over runs that had an estimate, and over all.
  double estimated_ = 0.0;
  double measured_ = 0.0;
  double seconds_ = 0.0;
  int count_ = 0;
};

}  // namespace lipschitz::experiments
