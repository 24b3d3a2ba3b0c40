#include "lipschitz/attacks/attack.h"

#include <ATen/ATen.h>

#include "absl/strings/str_cat.h"

namespace lipschitz {

ThreatModel MakeThreat(Norm norm, double epsilon, InputBox box) {
  return {norm, at::scalar_tensor(epsilon, at::kDouble), box};
}

ThreatModel MakeThreat(Norm norm, const at::Tensor& epsilon, InputBox box) {
  return {norm, epsilon, box};
}

double AttackResult::RobustAccuracy() const {
  return 1.0 - success.to(at::kDouble).mean().item<double>();
}

absl::Status CheckAttack(const at::Tensor& x, const at::Tensor& labels,
                         const ThreatModel& threat) {
  if (!x.defined() || x.dim() < 2 || x.numel() == 0 ||
      (x.scalar_type() != at::kFloat && x.scalar_type() != at::kDouble)) {
    return absl::InvalidArgumentError(
        "attack: inputs must be (n, ...) float32 or float64, at least one");
  }
  const int64_t n = x.size(0);
  if (!labels.defined() || labels.dim() != 1 || labels.size(0) != n ||
      labels.scalar_type() != at::kLong || labels.min().item<int64_t>() < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attack: ", n, " inputs need as many int64 labels from 0 on"));
  }
  if (threat.norm != Norm::kL2 && threat.norm != Norm::kLinf) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attack: the norm must be l2 or linf, got ", NormName(threat.norm)));
  }
  const at::Tensor& epsilon = threat.epsilon;
  if (!epsilon.defined() || !epsilon.is_floating_point() || epsilon.dim() > 1 ||
      (epsilon.dim() == 1 && epsilon.size(0) != n)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attack: epsilon must be one number, or one for each of the ", n,
        " inputs"));
  }
  if (!at::isfinite(epsilon).logical_and(epsilon >= 0).all().item<bool>()) {
    return absl::InvalidArgumentError(
        "attack: every epsilon must be finite and not negative");
  }
  const InputBox& box = threat.box;
  const at::Tensor inside =
      at::isfinite(x).logical_and(x >= box.lower).logical_and(x <= box.upper);
  if (!inside.all().item<bool>()) {
    const at::Tensor out = inside.flatten(1).all(1).logical_not().nonzero();
    return absl::InvalidArgumentError(absl::StrCat(
        "attack: ", out.size(0), " inputs are not inside [", box.lower, ", ",
        box.upper, "], the first is number ", out[0][0].item<int64_t>()));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz
