// Layers as they compute: what a bound on their rounding errors needs to know.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <functional>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/certify/arithmetic.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {

// h ↦ scale (T h + b) with a linear T, or a map whose result is exact or is off
// by a product of one of its entries. Examples are along the first dimension.
// Its functions do not refer to the layer.
struct RoundedMap {
  // Of the layer in exact arithmetic.
  BoundTable bounds;
  // Operations one after the other, from the products of an output to its last
  // rounding: the computed value is off by γ_operations · scale · (|T| |h|) +
  // γ_2 · scale · |b| at most. 0: exact.
  double operations = 0.0;
  // From ‖h‖ to the norms of |T| |h|.
  BoundTable magnitude;
  // Of |b|, in every norm.
  std::array<double, 3> bias_norms = {0.0, 0.0, 0.0};
  double scale = 1.0;
  // In float64.
  std::function<at::Tensor(const at::Tensor& h)> apply;
  // |T| |h| from above. Undefined where operations is 0.
  std::function<at::Tensor(const at::Tensor& h)> magnitudes;
};

// The map of `layer`, which states `bounds`, in evaluation mode with its
// parameters of the type of `arithmetic`. A FailedPrecondition that names the
// layer unless it is Linear, Conv2d (but for kFloat32), Activation (along the
// second or last dimension), ToImage, Flatten, SpaceToDepth, MaxPool2d or
// AveragePool2d.
absl::StatusOr<RoundedMap> RoundedMapOf(LayerImpl& layer,
                                        const BoundTable& bounds,
                                        Arithmetic arithmetic);

// What a Linear's map is made of, in float64.
struct LinearParts {
  at::Tensor weight_t;     // (in, out)
  at::Tensor magnitude_t;  // its entries' magnitudes
  at::Tensor bias;         // (out) or undefined
};
absl::StatusOr<LinearParts> LinearPartsOf(LinearImpl& layer);

}  // namespace lipschitz
