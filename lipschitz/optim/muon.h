// Momentum with orthogonalised steps for matrices.
#pragma once

#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>

#include <cstdint>
#include <tuple>
#include <vector>

#include "lipschitz/linalg/orthogonalise.h"

namespace lipschitz {

// Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural
// networks" (2024); as steepest descent in the spectral norm: J. Bernstein and
// L. Newhouse, "Old Optimizer, New Norm" (2024). For a matrix W with
// gradient G:
//   B ← β B + G,  then  W ← W − lr · Orthogonalise(G + β B),
// so that a step moves every direction of W by lr: the natural unit for a
// weight that is held orthonormal (ConstraintKind::kStiefel), whose singular
// values are all 1. The constraint brings the weight back after the step.
// A kernel (out_channels, in_channels, height, width) is the matrix of its
// rows, one for each output channel; a parameter of three dimensions is a stack
// of matrices, as the bases of orthogonal kernels are. Others (biases) take a
// step of Adam (D. Kingma and J. Ba, 2015) with the rate lr · vector_rate.
struct MuonOptions
    : public torch::optim::OptimizerCloneableOptions<MuonOptions> {
  explicit MuonOptions(double lr = 0.1) : lr_(lr) {}
  TORCH_ARG(double, lr);
  TORCH_ARG(double, momentum) = 0.9;
  // The default leaves the singular values of a step within 1 ± 0.2.
  TORCH_ARG(OrthogonaliseOptions, orthogonalise);
  TORCH_ARG(double, vector_rate) = 0.05;
  typedef std::tuple<double, double> Betas;
  TORCH_ARG(Betas, betas) = std::make_tuple(0.9, 0.999);
  TORCH_ARG(double, eps) = 1e-8;

 public:
  void serialize(torch::serialize::OutputArchive& archive) const override;
  void serialize(torch::serialize::InputArchive& archive) override;
  double get_lr() const override { return lr_; }
  void set_lr(double lr) override { lr_ = lr; }
};

class Muon : public torch::optim::Optimizer {
 public:
  // A c10::Error for a rate or eps that is not positive, a momentum or beta
  // outside [0, 1), iterations below 1, a smallest share outside (0, 1).
  Muon(std::vector<torch::Tensor> parameters, MuonOptions options);

  using torch::optim::Optimizer::step;
  torch::Tensor step(LossClosure closure = nullptr) override;

  // What is kept between steps. A parameter that had no gradient yet has
  // nothing.
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  // Of the i-th parameter over all groups.
  struct State {
    torch::Tensor momentum;  // of a matrix: B; of a vector: Adam's first moment
    torch::Tensor square;    // of a vector: Adam's second moment
    int64_t steps = 0;
  };

  static void StepMatrix(const MuonOptions& options, torch::Tensor parameter,
                         State* state);
  static void StepVector(const MuonOptions& options, torch::Tensor parameter,
                         State* state);

  std::vector<State> states_;
};

}  // namespace lipschitz
