// The fast gradient sign method: one step.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/objective.h"

namespace lipschitz {

struct FgsmOptions {
  AttackObjective objective = AttackObjective::kCrossEntropy;
  // Examples at a time.
  int64_t batch_size = 512;
  // Of the directions that stand in for a zero gradient.
  uint64_t seed = 0;
};

// One step of length epsilon in the steepest direction, projected. Source: I.
// Goodfellow, J. Shlens and C. Szegedy, "Explaining and Harnessing Adversarial
// Examples" (ICLR 2015). `labels`: (n) int64.
absl::StatusOr<AttackResult> Fgsm(const Classifier& classifier,
                                  const at::Tensor& x, const at::Tensor& labels,
                                  const ThreatModel& threat,
                                  const FgsmOptions& options = {});

}  // namespace lipschitz
