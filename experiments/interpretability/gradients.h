// What a classifier says has to change in an image for it to be of another
// class.
#pragma once

#include <torch/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz::experiments {

// −∇ₓ of the cross-entropy of temperature · f(x) and the targets, (n, d): the
// direction in which x becomes more of its target. For x (n, d) of the
// network's type and targets (n), int64, in the mode that it is in.
absl::StatusOr<torch::Tensor> DirectionsTowards(SequentialImpl& network,
                                                const torch::Tensor& x,
                                                const torch::Tensor& targets,
                                                double temperature);

struct TurningOptions {
  // Of a step, in l2.
  double step = 0.25;
  int64_t most_steps = 100;
  double temperature = 1.0;
  // Whether an input that has arrived stays there, or goes on to the last step.
  bool stop_there = true;
};

struct Turning {
  // (n), int64: after so many steps the target has the largest logit for the
  // first time; −1: not within the limit.
  torch::Tensor steps;
  // (n, d): where the steps ended.
  torch::Tensor x;
};

// Follows the direction towards the target, at a fixed length of step, and
// clamps every entry to [0, 1] after each. An input without a direction stays
// where it is.
absl::StatusOr<Turning> TurnInto(SequentialImpl& network,
                                 const torch::Tensor& x,
                                 const torch::Tensor& targets,
                                 const TurningOptions& options);

}  // namespace lipschitz::experiments
