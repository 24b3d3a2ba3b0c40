// Adam in one pass over the parameters.
#pragma once

#include <torch/optim/adam.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize/archive.h>

#include <cstdint>
#include <vector>

namespace lipschitz {

// torch::optim::Adam (D. Kingma and J. Ba, "Adam: A Method for Stochastic
// Optimization", ICLR 2015), whose eight operations for every parameter take a
// sixth of a small network's training step. The values are the same, where the
// processor multiplies and adds at once (FMA) to the last bit.
class Adam : public torch::optim::Optimizer {
 public:
  // A c10::Error for a rate or eps that is not positive, a beta outside [0, 1),
  // weight decay or amsgrad, which are not supported (those of a group that is
  // added or changed later are one of step).
  Adam(std::vector<torch::Tensor> parameters,
       torch::optim::AdamOptions options);

  using torch::optim::Optimizer::step;
  torch::Tensor step(LossClosure closure = nullptr) override;

  // The moments. A parameter that had no gradient yet has none.
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  // Of the i-th parameter over all groups.
  struct State {
    torch::Tensor first;
    torch::Tensor second;
    int64_t steps = 0;
  };

  static void Step(const torch::optim::AdamOptions& options,
                   torch::Tensor parameter, State* state);

  std::vector<State> states_;
};

}  // namespace lipschitz
