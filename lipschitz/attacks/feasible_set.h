// The inputs that an attack may choose from.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lipschitz/attacks/attack.h"
#include "lipschitz/data/random.h"

namespace lipschitz {

// The ball around every example, cut with the box. The arguments have passed
// CheckAttack.
class FeasibleSet {
 public:
  FeasibleSet(const at::Tensor& x, const ThreatModel& threat);

  // The nearest point of the set, in 2-norm, for every example; of x's type.
  //
  // linf: clamping. l2: x + clamp(s (z − x)) with the largest s ≤ 1 for which
  // the clamped step is no longer than epsilon (the exact projection: its
  // optimality conditions say so), s found from below, so that stopping early
  // stays inside.
  //
  // Rounding never leads out: the limits (linf) and the radius (l2) are smaller
  // by what it could add. In float32 and l2 that is about 1e-6 (‖x‖ + epsilon).
  at::Tensor Project(const at::Tensor& z) const;

  // The direction in which a linear function with this gradient grows most,
  // linf: its signs, l2: length 1. A random one for an example whose gradient
  // is zero.
  at::Tensor Direction(const at::Tensor& gradient,
                       const RandomSource& random) const;

  // A point of the set: uniform in the box around x of half-width epsilon
  // (linf), or in a direction that is uniform, at a distance that is uniform in
  // [0, epsilon] (l2), then projected.
  at::Tensor RandomPoint(const RandomSource& random) const;

  // (n, 1, ...): epsilon, but no more than the box is wide, in x's type.
  const at::Tensor& reach() const { return reach_; }
  const at::Tensor& x() const { return x_; }

  // Of the examples at `index` (int64) alone.
  FeasibleSet Select(const at::Tensor& index) const;

 private:
  FeasibleSet() = default;

  Norm norm_ = Norm::kLinf;
  at::Tensor x_;
  // l2: (n, 1) epsilon less what rounding may add, in float64.
  at::Tensor radius_;
  at::Tensor reach_;
  // linf: (n, ...) of x's type. l2: the box, scalars.
  at::Tensor lower_;
  at::Tensor upper_;
};

}  // namespace lipschitz
