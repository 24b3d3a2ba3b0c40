// Critics that only their training keeps from being arbitrarily steep, as the
// first WGANs have them.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/wasserstein_estimation/critics.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/network.h"
#include "lipschitz/training/train.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {

struct FreeCritic {
  // In evaluation mode.
  Sequential critic{nullptr};
  TrainingResult training;
};

// Trains a critic of the kind that `spec` says on mean f(P) − mean f(Q):
//
//  - kGradientPenalty: less 10 · mean (‖∇f‖ − 1)² at points between images of P
//    and of Q (I. Gulrajani et al., "Improved Training of Wasserstein GANs",
//    2017);
//  - kClipping: every parameter is clipped to ±0.01 after every step (M.
//    Arjovsky, S. Chintala and L. Bottou, "Wasserstein GAN", 2017).
//
// Neither makes the critic's constant 1: a penalty allows more, and clipping
// leaves whatever the layers' sizes make of it. The mean difference alone is
// then no lower bound on W1, its quotient by the proven constant is.
absl::StatusOr<FreeCritic> TrainFreeCritic(const CriticSpec& spec,
                                           const NetworkConfig& network,
                                           const TwoSamples& training,
                                           const RunContext& context);

}  // namespace lipschitz::experiments
