// What attacks ascend.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "lipschitz/attacks/attack.h"

namespace lipschitz {

enum class AttackObjective {
  // −log softmax of the label. Saturates where margins are large.
  kCrossEntropy,
  // The largest other logit less the label's.
  kMargin,
  // That, divided by the largest logit less the third largest: does not change
  // when the logits are scaled. Needs three classes. Source: F. Croce and M.
  // Hein, "Reliable evaluation of adversarial robustness with an ensemble of
  // diverse parameter-free attacks" (ICML 2020), equation 6.
  kDlr,
};

// "cross_entropy", "margin", "dlr".
std::string ObjectiveName(AttackObjective objective);
absl::StatusOr<AttackObjective> ParseObjective(const std::string& name);

// (n), from logits (n, classes) and labels (n).
at::Tensor ObjectiveValues(AttackObjective objective, const at::Tensor& logits,
                           const at::Tensor& labels);

struct ObjectivePoint {
  at::Tensor values;    // (n)
  at::Tensor margins;   // (n): see LogitMargins
  at::Tensor gradient;  // of the values, like x; zeros where there is none
};

// Without a gradient of anything but x. Infinite or undefined entries of the
// gradient are zeros.
ObjectivePoint EvaluateObjective(const Classifier& classifier,
                                 AttackObjective objective, const at::Tensor& x,
                                 const at::Tensor& labels);

// The logits of x, without any gradient.
at::Tensor EvaluateLogits(const Classifier& classifier, const at::Tensor& x);

// Their LogitMargins.
at::Tensor EvaluateMargins(const Classifier& classifier, const at::Tensor& x,
                           const at::Tensor& labels);

}  // namespace lipschitz
