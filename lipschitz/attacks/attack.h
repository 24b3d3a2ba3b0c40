// What all attacks on classifiers have in common.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <limits>

#include "absl/status/status.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

// Inputs (n, ...) to logits (n, classes), every example by itself,
// differentiable. In evaluation mode; its parameters are never differentiated.
using Classifier = std::function<at::Tensor(const at::Tensor&)>;

// Where inputs may lie, in every coordinate.
struct InputBox {
  double lower = 0.0;
  double upper = 1.0;

  static InputBox Everywhere() {
    return {-std::numeric_limits<double>::infinity(),
            std::numeric_limits<double>::infinity()};
  }
};

// What an attack may do: any input at most epsilon away, inside the box.
struct ThreatModel {
  // l2 or linf.
  Norm norm = Norm::kLinf;
  // Finite, not negative: () one for all, or (n) one for each example.
  at::Tensor epsilon;
  InputBox box;
};

ThreatModel MakeThreat(Norm norm, double epsilon, InputBox box = {});
ThreatModel MakeThreat(Norm norm, const at::Tensor& epsilon, InputBox box = {});

struct AttackResult {
  // The best found, of the inputs' shape and type: inside the ball (as measured
  // in float64) and the box, whatever the rounding. The input itself where it
  // is misclassified already, or nothing better was found.
  at::Tensor adversarial;
  // (n) float64: the label's logit less the largest other, at `adversarial`.
  at::Tensor margin;
  // (n) bool: that margin is not positive (wrong, tied, or not a number). So
  // the accuracy under attack is the share of false, and an example that is
  // wrong without any attack is counted once.
  at::Tensor success;

  double RobustAccuracy() const;
};

// InvalidArgument, naming the numbers, unless `x` is (n, ...), n ≥ 1, floating
// point and inside the box, `labels` (n) int64 and not negative, and the threat
// makes sense.
absl::Status CheckAttack(const at::Tensor& x, const at::Tensor& labels,
                         const ThreatModel& threat);

}  // namespace lipschitz
