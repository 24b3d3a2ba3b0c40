// The Lipschitz constant itself, of small networks of one or two inputs: the
// largest slope over all pieces on which the network is affine.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {

struct ExactLipschitzOptions {
  // Of inputs and outputs alike.
  Norm norm = Norm::kL2;
  // The box lower ≤ x ≤ upper, a number for each input; both empty: the whole
  // line or plane.
  std::vector<double> lower;
  std::vector<double> upper;
  // Pieces at most.
  int64_t max_regions = 200000;
  // A line that reaches less than this into a piece does not divide it. A
  // distance relative to the box's half-width; on the whole plane relative to
  // the typical distance of the first layer's lines from the origin, and far
  // away an angle.
  double tolerance = 1e-9;
};

struct ExactLipschitz {
  // max ‖J‖ over all pieces, a norm of the Jacobian of the network as it is at
  // `point`.
  double constant = 0.0;
  // Activation patterns that occur on an open set: a ReLU or |·| has two sides,
  // a group that is sorted has permutations. Neighbours may still have the same
  // Jacobian.
  int64_t regions = 0;
  // (d), float64: inside a piece that attains it.
  at::Tensor point;
};

// For a chain of Linear layers and activations of any kind that starts with a
// Linear of one or two inputs, in evaluation, for the weights that it applies
// in its type, as LipschitzBounds. The domain is convex, so its constant is the
// largest norm of a Jacobian. The plane is divided layer by layer: each convex
// piece carries the affine map to the layer's input, and is cut along the lines
// where a unit changes sign (ReLU, ...) or two units of a group are equal
// (sorting, maxout).
//
// The constant is never above the network's true one but for rounding (some
// 1e-15 relative for weights that do not cancel), and it is that, if no piece
// that is thinner than the tolerance is steeper than all others. Units that are
// equal or zero but for rounding make no pieces.
//
// InvalidArgument: other inputs, a box that has no inside, shapes that do not
// fit. FailedPrecondition: a layer of another kind. ResourceExhausted: more
// pieces than max_regions. Errors name the layer.
absl::StatusOr<ExactLipschitz> ComputeExactLipschitz(
    LayerImpl& network, const ExactLipschitzOptions& options = {});

}  // namespace lipschitz
