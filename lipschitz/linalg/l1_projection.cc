#include "lipschitz/linalg/l1_projection.h"

#include <ATen/ATen.h>

#include <tuple>

namespace lipschitz {
namespace {

// The threshold τ of every row, (rows, 1): with a the magnitudes in descending
// order and S_k their partial sums, k* is the largest k with
// S_k < radius + k a_k, and τ = (S_k* − radius) / k*. Negative for a row of
// norm below the radius. The set {k ≤ k*} is piecewise constant, so gradients
// flow through the sum alone.
at::Tensor Threshold(const at::Tensor& magnitude, double radius) {
  const at::Tensor descending =
      std::get<0>(magnitude.sort(/*dim=*/1, /*descending=*/true));
  const at::Tensor count = at::arange(1, magnitude.size(1) + 1,
                                      magnitude.options().requires_grad(false));
  const at::Tensor sums = descending.cumsum(1);
  const at::Tensor holds = sums.detach() < radius + count * descending.detach();
  // The largest k, not the number of k: rounding may break the order of the
  // conditions near ties.
  const at::Tensor last = (holds.to(count.scalar_type()) * count)
                              .amax(1, /*keepdim=*/true)
                              .clamp_min(1);
  return (sums.gather(1, last.to(at::kLong) - 1) - radius) / last;
}

// ±1, with +1 at zero.
at::Tensor SignOf(const at::Tensor& w) {
  return at::where(w.detach() < 0, -at::ones_like(w), at::ones_like(w));
}

// sign · max(|w| − tau, 0), from magnitude = sign · w. relu, not clamp_min: an
// entry at the threshold is cut off for the derivative too.
at::Tensor SoftThreshold(const at::Tensor& sign, const at::Tensor& magnitude,
                         const at::Tensor& tau) {
  return sign * (magnitude - tau).relu();
}

}  // namespace

at::Tensor ProjectRowsOntoL1Ball(const at::Tensor& w, double radius) {
  const at::Tensor sign = SignOf(w);
  const at::Tensor magnitude = sign * w;
  const at::Tensor tau = Threshold(magnitude, radius);
  // Inside, w itself: |w| has no derivative at zero, the identity has.
  return at::where(tau.detach() <= 0, w, SoftThreshold(sign, magnitude, tau));
}

at::Tensor ProjectRowsOntoL1Sphere(const at::Tensor& w, double radius) {
  const at::Tensor sign = SignOf(w);
  // sign·w instead of |w|: the derivative at zero is then that of the side
  // which the zero counts to.
  const at::Tensor magnitude = sign * w;
  return SoftThreshold(sign, magnitude, Threshold(magnitude, radius));
}

at::Tensor ScaleRowsToL1Norm(const at::Tensor& w, RowScaling scaling,
                             double radius) {
  const at::Tensor norm = w.abs().sum(1, /*keepdim=*/true);
  // A zero row divides zeros by the radius.
  const at::Tensor divisor =
      scaling == RowScaling::kOnlyDown
          ? norm.clamp_min(radius)
          : at::where(norm > 0, norm, at::full_like(norm, radius));
  return w / divisor * radius;
}

}  // namespace lipschitz
