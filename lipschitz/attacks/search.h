// The bookkeeping of an attack on a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/feasible_set.h"

namespace lipschitz {

// Keeps the best point of every example, and which examples are still worth an
// effort: the active ones, to whose rows everything between Start and the next
// Start refers.
class Search {
 public:
  Search(const Classifier& classifier, const at::Tensor& x,
         const at::Tensor& labels, const ThreatModel& threat);

  const Classifier& classifier() const { return classifier_; }

  // Makes all examples active that are not broken. False when there are none.
  bool Start();
  // Of the active examples.
  const FeasibleSet& set() const { return *active_set_; }
  const at::Tensor& labels() const { return active_labels_; }

  // Points of the active examples, and their margins.
  void Record(const at::Tensor& points, const at::Tensor& margins);

  // When enough active examples are broken to be worth it, makes them inactive
  // and returns the rows (int64) of those that stay, perhaps none.
  std::optional<at::Tensor> DropBroken();

  AttackResult Result() const;

 private:
  const Classifier& classifier_;
  FeasibleSet set_;
  at::Tensor labels_;
  at::Tensor best_;
  at::Tensor best_margins_;  // float64

  at::Tensor active_;  // int64
  std::optional<FeasibleSet> active_set_;
  at::Tensor active_labels_;
};

// Checks the arguments, attacks batch after batch, and puts the results
// together.
absl::StatusOr<AttackResult> AttackInBatches(
    const Classifier& classifier, const at::Tensor& x, const at::Tensor& labels,
    const ThreatModel& threat, int64_t batch_size,
    const std::function<void(Search&)>& attack);

}  // namespace lipschitz
