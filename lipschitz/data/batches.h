// Shuffled mini-batches that follow from the seed and the step alone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"

namespace lipschitz {

struct BatchesConfig {
  int64_t size = 0;  // how many examples there are
  int64_t batch_size = 128;
  uint64_t seed = 0;
  // Leaves the last batch of an epoch out where it would be smaller.
  bool drop_last = false;
};

// Every epoch goes once through all examples in an order of its own. Nothing
// has to be saved in a checkpoint: a training resumed at any step sees the
// batches that it would have seen.
class Batches {
 public:
  // InvalidArgument where an epoch would have no batch.
  static absl::StatusOr<Batches> Create(const BatchesConfig& config);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  // The epoch, from 0, that a step, from 0, belongs to.
  int64_t Epoch(int64_t step) const { return step / steps_per_epoch_; }

  // The examples of a step: int64, (batch_size), or fewer in the last batch of
  // an epoch. Keeps the current epoch's order (8 bytes per example); another
  // epoch is shuffled when it is asked for. Not for several threads at once.
  at::Tensor At(int64_t step);

 private:
  explicit Batches(const BatchesConfig& config);

  BatchesConfig config_;
  int64_t steps_per_epoch_;
  int64_t epoch_ = -1;  // of order_
  at::Tensor order_;
};

}  // namespace lipschitz
