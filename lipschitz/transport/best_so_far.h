// The best of the networks that a training passes through.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"

namespace lipschitz {

// A network with a copy of the parameters and buffers that it had when it
// scored best. The copy is in buffers, so that a checkpoint of this module
// holds it too.
class BestSoFar : public LayerImpl {
 public:
  explicit BestSoFar(std::shared_ptr<LayerImpl> network);

  torch::Tensor forward(const torch::Tensor& x) override {
    return network_->forward(x);
  }
  absl::StatusOr<BoundTable> LipschitzBounds() override {
    return network_->LipschitzBounds();
  }
  void AfterOptimizerStep() override { network_->AfterOptimizerStep(); }
  void AfterTraining() override { network_->AfterTraining(); }

  // Tells how the network scores as it is; more is better.
  void Score(double score, int64_t step);

  // Gives the network its best parameters back; nothing where none was scored.
  void Restore();

  // The step of the best score, 0 before any, and how many scores came since
  // it.
  int64_t best_step() const;
  int64_t scores_since_best() const;

 private:
  std::shared_ptr<LayerImpl> network_;
  // A tensor of the network, and its copy.
  std::vector<std::pair<torch::Tensor, torch::Tensor>> copies_;
  torch::Tensor best_score_;
  // {best step, scores since}.
  torch::Tensor counts_;
};

}  // namespace lipschitz
