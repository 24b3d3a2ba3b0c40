// Layers one after the other, and around a shortcut, with the bounds that
// follow.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lipschitz/base/layer.h"

namespace lipschitz {

// The composition of layers. Its bound is the least product over the norms
// between them; it is an error when any layer states none.
class SequentialImpl : public LayerImpl {
 public:
  explicit SequentialImpl(std::string name = "sequential")
      : LayerImpl(std::move(name)) {}

  // Appends `layer`, registered under `name` (unique; it names the parameters
  // in checkpoints).
  void push_back(const std::string& name, std::shared_ptr<LayerImpl> layer);

  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void AfterOptimizerStep() override;
  void AfterTraining() override;

  size_t size() const { return layers_.size(); }
  const std::shared_ptr<LayerImpl>& layer(size_t index) const {
    return layers_.at(index);
  }

 private:
  std::vector<std::shared_ptr<LayerImpl>> layers_;
};
TORCH_MODULE(Sequential);

// x + f(x): its constant is at most 1 + f's.
class ResidualImpl : public LayerImpl {
 public:
  explicit ResidualImpl(std::shared_ptr<LayerImpl> body,
                        std::string name = "residual");

  // A c10::Error when f changes the shape.
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void AfterOptimizerStep() override;
  void AfterTraining() override;

 private:
  std::shared_ptr<LayerImpl> body_;
};
TORCH_MODULE(Residual);

}  // namespace lipschitz
