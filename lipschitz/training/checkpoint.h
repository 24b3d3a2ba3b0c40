// A training's whole state in one file.
#pragma once

#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/data/random.h"
#include "lipschitz/training/history.h"

namespace lipschitz {

// Where a training stands, beside its tensors.
struct TrainingState {
  int64_t step = 0;
  // Sum and number of the losses since the last history entry.
  double loss_sum = 0.0;
  int64_t loss_count = 0;
  // Seconds that the training took so far, over all its processes.
  double seconds = 0.0;
  History history;
};

// The parts of a training that a checkpoint holds: parameters and buffers, the
// optimisers' states, the generator of the data and LibTorch's default ones.
struct TrainingParts {
  torch::nn::Module* model = nullptr;
  torch::optim::Optimizer* optimizer = nullptr;
  RandomSource* random = nullptr;
  // Of other parameters of the model.
  std::vector<torch::optim::Optimizer*> inner_optimizers = {};
};

// Writes the state to `path` through a temporary name. `fingerprint` is any
// text that identifies the training (its configuration and seed).
absl::Status SaveCheckpoint(const std::string& path,
                            const std::string& fingerprint,
                            const TrainingState& state,
                            const TrainingParts& parts);

// Restores what SaveCheckpoint wrote. NotFound when there is no file;
// FailedPrecondition when it belongs to a training with another fingerprint;
// DataLoss when it is damaged: in these cases `parts` are as they were. Any
// other error leaves them undefined.
absl::StatusOr<TrainingState> LoadCheckpoint(const std::string& path,
                                             const std::string& fingerprint,
                                             const TrainingParts& parts);

}  // namespace lipschitz
