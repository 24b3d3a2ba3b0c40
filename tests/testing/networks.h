// Small networks whose constants and logits are known.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lipschitz/activations/activation.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz::testing {

// y = scale (x Wᵀ + b), float32, unconstrained; no bias when `bias` is
// undefined.
Linear Affine(const at::Tensor& weight, const at::Tensor& bias = {},
              double scale = 1.0);

// The layers one after the other.
Sequential Chain(std::vector<std::shared_ptr<LayerImpl>> layers);

// An MLP of random weights, every hidden layer under the constraint.
Sequential RandomMlp(int64_t seed, std::vector<int64_t> widths,
                     ActivationSpec activation,
                     ConstraintKind constraint = ConstraintKind::kBjorck,
                     double lipschitz_constant = 1.0);

// Computes what `inner` does, and states `factor` times its bounds: a false
// promise below 1. A negative factor states no bound at all.
class Claiming : public LayerImpl {
 public:
  Claiming(std::shared_ptr<LayerImpl> inner, double factor);
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;

 private:
  std::shared_ptr<LayerImpl> inner_;
  double factor_;
};

}  // namespace lipschitz::testing
