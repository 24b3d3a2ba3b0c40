// Projected gradient ascent that chooses its steps itself.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/objective.h"

namespace lipschitz {

struct AutoPgdOptions {
  AttackObjective objective = AttackObjective::kMargin;
  int64_t steps = 50;
  // Random starts; each on the examples that are not broken yet.
  int64_t restarts = 1;
  uint64_t seed = 0;
  // Examples at a time.
  int64_t batch_size = 512;

  absl::Status Validate() const;
};

// The steps after which Auto-PGD of so many steps may halve its step size,
// ascending: the fraction 0.22, and then intervals that shrink by 0.03 down to
// 0.06.
std::vector<int64_t> AutoPgdCheckpoints(int64_t steps);

// Auto-PGD with its published constants (momentum 0.75, step 2 epsilon, halved
// at checkpoints, where the search goes on from the best point). Source: F.
// Croce and M. Hein, "Reliable evaluation of adversarial robustness with an
// ensemble of diverse parameter-free attacks" (ICML 2020), algorithm 1. Keeps
// the point with the least margin; an example is left alone once it is broken.
absl::StatusOr<AttackResult> AutoPgd(const Classifier& classifier,
                                     const at::Tensor& x,
                                     const at::Tensor& labels,
                                     const ThreatModel& threat,
                                     const AutoPgdOptions& options = {});

}  // namespace lipschitz
