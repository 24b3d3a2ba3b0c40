// How large a function's Lipschitz constant is at least, by search, and how
// much of its proven constant a network uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/diagnostics/linearisation.h"

namespace lipschitz {

struct LowerBoundOptions {
  // The bound is on the constant from the one to the other.
  Norm input_norm = Norm::kL2;
  Norm output_norm = Norm::kL2;
  // 0: points may go anywhere. Else none is further than this, in input_norm,
  // from the input at which it started: a bound on the constant in that ball.
  double radius = 0.0;
  // Of each ascent.
  int steps = 60;
  // The points of a pair are at least this far apart, relative to the radius
  // or, without one, to the mean norm of the inputs (1 where it is 0).
  double min_separation = 1e-5;
  // Of random directions.
  uint64_t seed = 0;
};

struct LipschitzLowerBound {
  // (‖f(x) − f(y)‖ − δ) / ‖x − y‖ of the pair below, with δ = 2⁻⁴⁷ times the
  // largest ‖f‖ among the pairs that were evaluated with it, one for each
  // input: a lower bound on the Lipschitz constant where f is computed to 2⁻⁴⁸
  // of that (32 units of float64) or better. A network is, whose layers do not
  // cancel by much; else δ should have been larger, and the value may be too
  // large by what is missing over the distance.
  double value = 0.0;
  // Two points in the shape of an example, float64.
  at::Tensor x;
  at::Tensor y;
  // The best ratio found from every input, (n), float64; with a radius, each is
  // a lower bound on the constant in the ball around that input.
  at::Tensor local;
};

// From every one of `inputs` (n, ...), float64, three ascents on ratios of
// pairs and two on norms of Jacobians:
//
//  - the Jacobian's norm at a point climbs by its gradient or, where that is
//    zero (f is piecewise affine), by random moves; the norm and the vector
//    that attains it by the power method for operator norms (D. W. Boyd, "The
//    power method for l^p norms", Linear Algebra and its Applications 9, 1974);
//  - pairs, from a random direction, between the inputs and along the
//    Jacobian's vector, climb by the ratio's gradient;
//  - halving a pair and keeping the steeper half never lowers the ratio; then
//    the Jacobian is climbed again from there.
//
// Everything returned is shown by an actual pair, so kinks at which
// autograd's Jacobian is none do no harm. About 18 · steps passes over the
// batch.
//
// InvalidArgument where the inputs are not float64 (Float64Evaluation makes a
// module's function one of float64), for options out of range, and where
// Linearisation::At says so.
absl::StatusOr<LipschitzLowerBound> FindLipschitzLowerBound(
    const BatchFunction& function, const at::Tensor& inputs,
    const LowerBoundOptions& options = {});

struct LipschitzTightness {
  LipschitzLowerBound lower;
  // The network's own bound.
  double proven = 0.0;
  // lower.value / proven, in [0, 1] up to rounding; 1 for a constant network,
  // whose bound is 0. Above 1 the bound is false; infinite where it is 0 and
  // the pair shows that the network is not constant.
  double tightness = 0.0;
};

// Of a network in evaluation, in float64; afterwards it is again what it was.
// `inputs` of any floating point type. An error where the network has no finite
// bound between the norms.
absl::StatusOr<LipschitzTightness> MeasureTightness(
    LayerImpl& network, const at::Tensor& inputs,
    const LowerBoundOptions& options = {});

}  // namespace lipschitz
