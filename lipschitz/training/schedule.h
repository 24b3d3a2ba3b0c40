// Learning rates over a training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

enum class ScheduleKind {
  kConstant,
  // Times `decay` at every milestone.
  kStep,
  // Times `decay` ^ (step / steps), continuously: `decay` is what is left at
  // the end.
  kExponential,
  // From 1 to `floor` along half a cosine.
  kCosine,
};

// "constant", "step", "exponential", "cosine".
std::string ScheduleName(ScheduleKind kind);
absl::StatusOr<ScheduleKind> ParseSchedule(const std::string& name);

struct LearningRateSchedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  double decay = 0.1;
  // In optimiser steps, ascending.
  std::vector<int64_t> milestones;
  double floor = 0.0;

  absl::Status Validate() const;

  // What the initial rate is multiplied by in step `step` (from 0) of `steps`.
  double Factor(int64_t step, int64_t steps) const;
};

}  // namespace lipschitz
