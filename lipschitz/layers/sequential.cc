#include "lipschitz/layers/sequential.h"

#include <utility>

#include "lipschitz/base/status.h"

namespace lipschitz {

void SequentialImpl::push_back(const std::string& name,
                               std::shared_ptr<LayerImpl> layer) {
  layers_.push_back(register_module(name, std::move(layer)));
}

torch::Tensor SequentialImpl::forward(const torch::Tensor& x) {
  torch::Tensor y = x;
  for (const auto& layer : layers_) y = layer->forward(y);
  return y;
}

absl::StatusOr<BoundTable> SequentialImpl::LipschitzBounds() {
  BoundTable bounds = BoundTable::SameNorm(1.0);
  for (const auto& layer : layers_) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable next, layer->LipschitzBounds());
    bounds = bounds.Then(next);
  }
  return bounds;
}

void SequentialImpl::AfterOptimizerStep() {
  for (const auto& layer : layers_) layer->AfterOptimizerStep();
}

void SequentialImpl::AfterTraining() {
  for (const auto& layer : layers_) layer->AfterTraining();
}

ResidualImpl::ResidualImpl(std::shared_ptr<LayerImpl> body, std::string name)
    : LayerImpl(std::move(name)) {
  body_ = register_module("body", std::move(body));
}

torch::Tensor ResidualImpl::forward(const torch::Tensor& x) {
  const torch::Tensor change = body_->forward(x);
  TORCH_CHECK(change.sizes() == x.sizes(), "layer '", name(),
              "': the body turns the shape ", x.sizes(), " into ",
              change.sizes(), ", which cannot be added to its input");
  return x + change;
}

absl::StatusOr<BoundTable> ResidualImpl::LipschitzBounds() {
  LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable body, body_->LipschitzBounds());
  return BoundTable::SameNorm(1.0).Plus(body);
}

void ResidualImpl::AfterOptimizerStep() { body_->AfterOptimizerStep(); }

void ResidualImpl::AfterTraining() { body_->AfterTraining(); }

}  // namespace lipschitz
