// Aggregated momentum.
#pragma once

#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>

#include <vector>

namespace lipschitz {

// Source: J. Lucas, S. Sun, R. Zemel, R. Grosse, "Aggregated Momentum:
// Stability Through Passive Damping" (ICLR 2019). For each damping β_k:
//   v_k ← β_k v_k + g,  then  p ← p − (lr / M) Σ_k v_k,
// where g is the gradient plus weight_decay · p and M the number of dampings.
struct AggMoOptions
    : public torch::optim::OptimizerCloneableOptions<AggMoOptions> {
  explicit AggMoOptions(double lr = 0.01) : lr_(lr) {}
  TORCH_ARG(double, lr);
  TORCH_ARG(std::vector<double>, betas) = {0.0, 0.9, 0.99};
  TORCH_ARG(double, weight_decay) = 0.0;

 public:
  void serialize(torch::serialize::OutputArchive& archive) const override;
  void serialize(torch::serialize::InputArchive& archive) override;
  double get_lr() const override { return lr_; }
  void set_lr(double lr) override { lr_ = lr; }
};

class AggMo : public torch::optim::Optimizer {
 public:
  // A c10::Error when the rate is not positive, there is no β or one is outside
  // [0, 1).
  AggMo(std::vector<torch::Tensor> parameters, AggMoOptions options);

  using torch::optim::Optimizer::step;
  torch::Tensor step(LossClosure closure = nullptr) override;

  // The velocities. A parameter that had no gradient yet has none.
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  // velocities_[i][k] belongs to the i-th parameter over all groups.
  std::vector<std::vector<torch::Tensor>> velocities_;
};

}  // namespace lipschitz
