#include "tests/testing/networks.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz::testing {

Linear Affine(const at::Tensor& weight, const at::Tensor& bias, double scale) {
  LinearConfig config;
  config.out_features = weight.size(0);
  config.in_features = weight.size(1);
  config.bias = bias.defined();
  config.constraint.kind = ConstraintKind::kNone;
  config.scale = scale;
  Linear layer(config);
  const torch::NoGradGuard no_grad;
  layer->weight.copy_(weight);
  if (bias.defined()) layer->bias.copy_(bias);
  return layer;
}

Sequential Chain(std::vector<std::shared_ptr<LayerImpl>> layers) {
  Sequential network;
  for (auto& layer : layers) {
    network->push_back(absl::StrCat("layer", network->size()),
                       std::move(layer));
  }
  return network;
}

Sequential RandomMlp(int64_t seed, std::vector<int64_t> widths,
                     ActivationSpec activation, ConstraintKind constraint,
                     double lipschitz_constant) {
  torch::manual_seed(static_cast<uint64_t>(seed));
  MlpConfig config;
  config.input_dim = widths.front();
  config.output_dim = widths.back();
  config.hidden.assign(widths.begin() + 1, widths.end() - 1);
  config.activation = activation;
  config.constraint.kind = constraint;
  config.lipschitz_constant = lipschitz_constant;
  absl::StatusOr<Sequential> network = MakeMlp(config);
  TORCH_CHECK(network.ok(), std::string(network.status().message()));
  return *network;
}

Claiming::Claiming(std::shared_ptr<LayerImpl> inner, double factor)
    : LayerImpl("claiming"), factor_(factor) {
  inner_ = register_module("inner", std::move(inner));
}

torch::Tensor Claiming::forward(const torch::Tensor& x) {
  return inner_->forward(x);
}

absl::StatusOr<BoundTable> Claiming::LipschitzBounds() {
  if (factor_ < 0.0) return LayerImpl::LipschitzBounds();
  LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable bounds,
                             inner_->LipschitzBounds());
  return bounds.Times(factor_);
}

}  // namespace lipschitz::testing
