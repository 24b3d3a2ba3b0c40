#include "experiments/common/verdict.h"

#include <cmath>

#include "absl/strings/str_format.h"

namespace lipschitz::experiments {
namespace {

// Above 1: layers are orthonormal as far as float32 has it.
constexpr double kConstantAllowance = 1e-5;
// Relative to the constant: slopes are found in float64.
constexpr double kSlopeAllowance = 1e-9;
// Relative to the exact distance: estimates add up many samples.
constexpr double kEstimateAllowance = 1e-6;

// Not a number is not within anything.
bool IsWithin(double value, double limit, double allowance) {
  return value <= limit + allowance * std::abs(limit);
}

}  // namespace

absl::Status ExpectUnitConstant(double bound) {
  if (IsWithin(bound, 1.0, kConstantAllowance)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "certificate broken: the constrained network has the proven constant "
      "%.9f",
      bound));
}

absl::Status ExpectSlopeWithin(double slope, double bound) {
  if (IsWithin(slope, bound, kSlopeAllowance)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "certificate broken: the proven constant is %.9g, and a slope %.9g",
      bound, slope));
}

absl::Status ExpectEstimateWithin(double estimate, double bound, double exact) {
  if (IsWithin(estimate, exact, kEstimateAllowance)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "certificate broken: the estimate %.9g, divided by the proven K = %.9g, "
      "is above the exact distance %.9g",
      estimate, bound, exact));
}

}  // namespace lipschitz::experiments
