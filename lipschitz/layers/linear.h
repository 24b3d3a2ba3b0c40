// The dense layer under a constraint.
#pragma once

#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/layers/constraint.h"

namespace lipschitz {

struct LinearConfig {
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
  ConstraintOptions constraint;
  // The output, bias included, is multiplied by it: a network of L layers with
  // the constant K scales each by K^{1/L}.
  double scale = 1.0;
  // Named in errors.
  std::string name = "linear";

  absl::Status Validate() const;
};

// y = scale · (x Ŵᵀ + b), with Ŵ the constrained weight.
//
//   \code
//   Linear layer(LinearConfig{784, 128});       // orthonormal by Björck
//   torch::Tensor y = layer->forward(x);        // (batch, 784) → (batch, 128)
//   double k = *layer->LipschitzBound(Norm::kL2);
//   \endcode
//
// The raw weight starts as a matrix with orthonormal rows or columns times
// 1/√in (stiefel: times 1), the bias uniform in ±1/√in (as the authors' code);
// without a constraint its entries are Gaussian of variance 2/in (He et al.,
// "Delving Deep into Rectifiers", ICCV 2015).
// An invalid config is a c10::Error from the constructor; validate it first
// where a status is wanted.
//
// In training mode the constrained weight is computed in every forward and
// carries gradients to the raw weight. In evaluation mode it is a constant: it
// is computed once, kept, and computed anew when the raw weight, its type or
// its device has changed.
class LinearImpl : public LayerImpl {
 public:
  explicit LinearImpl(LinearConfig config);

  // x: (n, in_features) → (n, out_features), or one example without the n. A
  // c10::Error that names the layer when the shape does not fit or the weight
  // cannot be constrained. An example is one row: for several of them, which a
  // later layer may put together, the bounds between different norms would be
  // larger.
  torch::Tensor forward(const torch::Tensor& x) override;

  // For the constrained weight as it is used in evaluation.
  absl::StatusOr<BoundTable> LipschitzBounds() override;

  void AfterOptimizerStep() override;
  void AfterTraining() override;
  void train(bool on = true) override;
  void pretty_print(std::ostream& stream) const override;

  // The weight that forward applies, (out_features, in_features), without the
  // scale.
  absl::StatusOr<torch::Tensor> ConstrainedWeight();

  // The scale as forward multiplies by it: rounded to the weight's type.
  double AppliedScale() const;

  const LinearConfig& config() const { return config_; }

  torch::Tensor weight;  // the raw parameter, (out_features, in_features)
  torch::Tensor bias;    // (out_features), undefined without a bias

  // How often the constrained weight was computed; for tests and profiles.
  int64_t constraint_evaluations() const { return constraint_evaluations_; }

 private:
  absl::StatusOr<torch::Tensor> EvaluationWeight();

  LinearConfig config_;
  std::shared_ptr<WeightConstraint> constraint_;
  // The constrained weight in evaluation, and what it was computed from.
  torch::Tensor cached_;
  torch::Tensor cached_from_;
  int64_t constraint_evaluations_ = 0;
};
TORCH_MODULE(Linear);

}  // namespace lipschitz
