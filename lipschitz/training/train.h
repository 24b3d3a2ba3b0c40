// The training loop: schedule, clipping, constraints after every step,
// checkpoints, history.
#pragma once

#include <torch/optim/optimizer.h>
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/data/random.h"
#include "lipschitz/training/history.h"
#include "lipschitz/training/schedule.h"

namespace lipschitz {

struct CheckpointOptions {
  // Empty: no checkpoints.
  std::string path;
  // Identifies the training; a checkpoint with another one is not used.
  std::string fingerprint;
  // Go on from `path` when it is there.
  bool resume = true;
  // A checkpoint is written when so many seconds have passed, when > 0 every so
  // many steps, and after the last one. When it is written changes no metric.
  double every_seconds = 30.0;
  int64_t every_steps = 0;
};

struct TrainingOptions {
  int64_t steps = 1000;
  double learning_rate = 0.01;
  LearningRateSchedule schedule;
  // The gradient over all parameters is scaled down to this 2-norm; 0: never.
  double max_grad_norm = 0.0;
  // A history entry every so many steps, and one at the end.
  int64_t report_every = 100;
  CheckpointOptions checkpoint;

  absl::Status Validate() const;
};

struct TrainingProgress {
  int64_t step = 0;  // steps done
  int64_t steps = 0;
  int64_t first_step = 0;  // steps that were done before this process
  double seconds = 0.0;    // since this process began to train
  double loss = 0.0;       // of the last step
};

struct TrainingHooks {
  // The loss of one step (a scalar with a graph). Draws its data itself.
  std::function<absl::StatusOr<torch::Tensor>(int64_t step)> loss;
  // Optional: more metrics for a history entry.
  std::function<absl::StatusOr<Metrics>(int64_t step)> report;
  // Optional: asked after every history entry and after resuming; true ends the
  // training there, as if it had been the last step.
  std::function<bool()> converged;
  // Optional: called after every step.
  std::function<void(const TrainingProgress&)> progress;
  // Optional: called with a sentence when a checkpoint was resumed or could not
  // be used.
  std::function<void(const std::string&)> notice;
  // Optional: asked after every step; true writes a checkpoint and stops.
  std::function<bool()> stop_requested;
  // Optional: called once after the last step, in training mode, before the
  // model's AfterTraining; also when a checkpoint was already there. Its time
  // is not part of the training's.
  std::function<absl::Status()> before_finish;
};

struct TrainingResult {
  History history;
  int64_t steps = 0;
  // Over all processes that worked on it.
  double seconds = 0.0;
  // 0, or the step that this process went on from.
  int64_t resumed_from = 0;
  // Numbers that were trained: of the parameters that require a gradient.
  int64_t parameters = 0;
};

// Runs `options.steps` optimiser steps on `model`, then its AfterTraining, and
// leaves it in training mode. The rate of every parameter group of `optimizer`
// is set in every step. `inner_optimizers` are those that the loss hook steps
// itself, of parameters of `model` that `optimizer` leaves alone (a critic's,
// inside the step of its generator): checkpoints hold them too.
//
// Errors: InvalidArgument for options that make no sense; Aborted, with the
// step, when the loss, the gradient or a parameter is not finite; Cancelled
// when a stop was requested; whatever a hook or a checkpoint's file returns. A
// checkpoint that cannot be used (damaged, other settings) is reported to
// `notice`, and the training starts from the beginning.
absl::StatusOr<TrainingResult> Train(
    LayerImpl& model, torch::optim::Optimizer& optimizer, RandomSource& random,
    const TrainingOptions& options, const TrainingHooks& hooks,
    const std::vector<torch::optim::Optimizer*>& inner_optimizers = {});

}  // namespace lipschitz
