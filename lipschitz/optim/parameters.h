// What every optimiser does around its own formula.
#pragma once

#include <c10/core/GradMode.h>
#include <torch/optim/optimizer.h>
#include <torch/types.h>

#include <cstddef>
#include <vector>

namespace lipschitz {

// Calls step(options, parameter, state) for every parameter of `groups` that
// has a gradient, without recording gradients; options are the group's. The
// i-th parameter over all groups keeps the i-th of `states`, with or without a
// gradient. Before, the closure, if there is one, computes the loss, which is
// returned.
template <class Options, class State, class Step>
torch::Tensor StepParameters(
    std::vector<torch::optim::OptimizerParamGroup>& groups,
    const torch::optim::Optimizer::LossClosure& closure,
    std::vector<State>* states, const Step& step) {
  torch::Tensor loss;
  if (closure != nullptr) {
    const c10::AutoGradMode with_gradients(true);
    loss = closure();
  }
  const torch::NoGradGuard no_grad;
  size_t index = 0;
  for (auto& group : groups) {
    const auto& options = static_cast<const Options&>(group.options());
    for (torch::Tensor& parameter : group.params()) {
      if (states->size() <= index) states->resize(index + 1);
      State& state = (*states)[index++];
      if (parameter.grad().defined()) step(options, parameter, &state);
    }
  }
  return loss;
}

}  // namespace lipschitz
