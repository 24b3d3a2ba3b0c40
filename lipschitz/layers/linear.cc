#include "lipschitz/layers/linear.h"

#include <c10/core/InferenceMode.h>
#include <torch/nn/init.h>

#include <cmath>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/same_bits.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/norm_bound.h"

namespace lipschitz {

absl::Status LinearConfig::Validate() const {
  if (in_features < 1 || out_features < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer '", name,
                     "': in_features and out_features must be "
                     "at least 1, got ",
                     in_features, " and ", out_features));
  }
  if (!(scale > 0.0) || !std::isfinite(scale)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "layer '", name, "': scale must be positive, got ", scale));
  }
  return WithContext(constraint.Validate(), absl::StrCat("layer '", name, "'"));
}

LinearImpl::LinearImpl(LinearConfig config)
    : LayerImpl(config.name), config_(std::move(config)) {
  const absl::Status valid = config_.Validate();
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
  const double bound =
      1.0 / std::sqrt(static_cast<double>(config_.in_features));
  weight = register_parameter(
      "weight", torch::empty({config_.out_features, config_.in_features}));
  torch::nn::init::orthogonal_(weight, bound);
  if (config_.bias) {
    bias = register_parameter("bias", torch::empty({config_.out_features}));
    torch::nn::init::uniform_(bias, -bound, bound);
  }
  auto constraint = MakeWeightConstraint(
      config_.constraint, config_.out_features, config_.in_features);
  TORCH_CHECK(constraint.ok(), std::string(constraint.status().message()));
  constraint_ = register_module("constraint", *std::move(constraint));
  constraint_->Initialise(weight);
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == config_.in_features, "layer '",
              name(), "': the input's last dimension must be ",
              config_.in_features, ", got the shape ", x.sizes());
  TORCH_CHECK(x.dim() <= 2, "layer '", name(), "': an input is one row, got ",
              x.sizes(), "; flatten images, and make several rows of an ",
              "example, each to be mapped by itself, examples of their own: ",
              "x.flatten(0, -2)");
  const absl::StatusOr<torch::Tensor> constrained = ConstrainedWeight();
  TORCH_CHECK(constrained.ok(), std::string(constrained.status().message()));
  torch::Tensor y = constraint_->Apply(x, *constrained);
  if (bias.defined()) y = y + bias;
  return config_.scale == 1.0 ? y : y * config_.scale;
}

absl::StatusOr<torch::Tensor> LinearImpl::ConstrainedWeight() {
  if (!is_training()) return EvaluationWeight();
  ++constraint_evaluations_;
  auto constrained = constraint_->Constrain(weight);
  if (!constrained.ok()) {
    return WithContext(constrained.status(),
                       absl::StrCat("layer '", name(), "'"));
  }
  return constrained;
}

absl::StatusOr<torch::Tensor> LinearImpl::EvaluationWeight() {
  // What is kept must serve autograd later, whatever mode this call is in.
  const c10::InferenceMode normal(/*enabled=*/false);
  torch::NoGradGuard no_grad;
  if (cached_.defined() && SameBits(cached_from_, weight)) return cached_;
  ++constraint_evaluations_;
  auto constrained = constraint_->Constrain(weight.detach());
  if (!constrained.ok()) {
    return WithContext(constrained.status(),
                       absl::StrCat("layer '", name(), "'"));
  }
  // A copy: without a constraint it would share the parameter's memory and
  // change with it.
  cached_ = constrained->detach().clone();
  cached_from_ = weight.detach().clone();
  return cached_;
}

absl::StatusOr<BoundTable> LinearImpl::LipschitzBounds() {
  const bool was_training = is_training();
  if (was_training) constraint_->eval();
  const auto weight_in_use =
      CatchTorch("layer '" + name() + "'", [&] { return EvaluationWeight(); });
  if (was_training) constraint_->train();
  if (!weight_in_use.ok()) return weight_in_use.status();
  auto bounds = OperatorNormBounds(*weight_in_use);
  if (!bounds.ok()) {
    return WithContext(bounds.status(), absl::StrCat("layer '", name(), "'"));
  }
  return bounds->Times(AppliedScale());
}

double LinearImpl::AppliedScale() const {
  return weight.scalar_type() == torch::kFloat
             ? static_cast<double>(static_cast<float>(config_.scale))
             : config_.scale;
}

void LinearImpl::AfterOptimizerStep() {
  constraint_->AfterOptimizerStep(weight);
}

void LinearImpl::AfterTraining() { constraint_->AfterTraining(weight); }

void LinearImpl::train(bool on) {
  torch::nn::Module::train(on);
  cached_ = torch::Tensor();
}

void LinearImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::Linear(in=" << config_.in_features
         << ", out=" << config_.out_features
         << ", constraint=" << ConstraintName(config_.constraint.kind);
  if (!config_.bias) stream << ", bias=false";
  if (config_.scale != 1.0) stream << ", scale=" << config_.scale;
  stream << ")";
}

}  // namespace lipschitz
