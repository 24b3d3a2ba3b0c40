// Projected gradient ascent.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/objective.h"

namespace lipschitz {

struct PgdOptions {
  AttackObjective objective = AttackObjective::kMargin;
  // 0: the start alone, random noise.
  int64_t steps = 20;
  // Length of a step, as a fraction of epsilon.
  double step_fraction = 0.125;
  // Starts; each on the examples that are not broken yet.
  int64_t restarts = 1;
  // At a random point of the ball, else at the example itself.
  bool random_start = true;
  uint64_t seed = 0;
  // Examples at a time.
  int64_t batch_size = 512;

  absl::Status Validate() const;
};

// Source: A. Madry et al., "Towards Deep Learning Models Resistant to
// Adversarial Attacks" (ICLR 2018). Of all points that it visits the one with
// the least margin is kept; an example is left alone once it is broken.
absl::StatusOr<AttackResult> Pgd(const Classifier& classifier,
                                 const at::Tensor& x, const at::Tensor& labels,
                                 const ThreatModel& threat,
                                 const PgdOptions& options = {});

}  // namespace lipschitz
