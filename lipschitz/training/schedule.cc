#include "lipschitz/training/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<ScheduleKind, const char*>, 4> kNames = {{
    {ScheduleKind::kConstant, "constant"},
    {ScheduleKind::kStep, "step"},
    {ScheduleKind::kExponential, "exponential"},
    {ScheduleKind::kCosine, "cosine"},
}};
constexpr double kPi = 3.14159265358979323846;

}  // namespace

std::string ScheduleName(ScheduleKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "unknown";
}

absl::StatusOr<ScheduleKind> ParseSchedule(const std::string& name) {
  std::string known;
  for (const auto& [value, known_name] : kNames) {
    if (name == known_name) return value;
    absl::StrAppend(&known, known.empty() ? "" : ", ", known_name);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown schedule '", name, "'; known: ", known));
}

absl::Status LearningRateSchedule::Validate() const {
  if (!(decay > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("schedule: decay must be positive, got ", decay));
  }
  if (!(floor >= 0.0 && floor <= 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("schedule: floor must be in [0, 1], got ", floor));
  }
  if (!std::is_sorted(milestones.begin(), milestones.end())) {
    return absl::InvalidArgumentError("schedule: milestones must ascend");
  }
  return absl::OkStatus();
}

double LearningRateSchedule::Factor(int64_t step, int64_t steps) const {
  const double progress = static_cast<double>(step) /
                          static_cast<double>(std::max<int64_t>(steps, 1));
  switch (kind) {
    case ScheduleKind::kConstant:
      return 1.0;
    case ScheduleKind::kStep: {
      const auto passed =
          std::upper_bound(milestones.begin(), milestones.end(), step) -
          milestones.begin();
      return std::pow(decay, static_cast<double>(passed));
    }
    case ScheduleKind::kExponential:
      return std::pow(decay, progress);
    case ScheduleKind::kCosine:
      return floor + (1.0 - floor) * 0.5 * (1.0 + std::cos(kPi * progress));
  }
  return 1.0;
}

}  // namespace lipschitz
