#include "experiments/interpretability/gradients.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/functional/loss.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {

absl::StatusOr<torch::Tensor> DirectionsTowards(SequentialImpl& network,
                                                const torch::Tensor& x,
                                                const torch::Tensor& targets,
                                                double temperature) {
  return CatchTorch("input gradients", [&]() -> torch::Tensor {
    const c10::AutoGradMode with_gradients(true);
    const torch::Tensor input = x.detach().clone().requires_grad_(true);
    const torch::Tensor loss = torch::nn::functional::cross_entropy(
        network.forward(input) * temperature, targets,
        torch::nn::functional::CrossEntropyFuncOptions().reduction(
            torch::kSum));
    return -torch::autograd::grad({loss}, {input})[0];
  });
}

absl::StatusOr<Turning> TurnInto(SequentialImpl& network,
                                 const torch::Tensor& x,
                                 const torch::Tensor& targets,
                                 const TurningOptions& options) {
  if (!(options.step > 0.0) || options.most_steps < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the step must be positive and the most steps not negative, got ",
        options.step, " and ", options.most_steps));
  }
  using Result = absl::StatusOr<Turning>;
  return CatchTorch("turning images", [&]() -> Result {
    Turning turning;
    turning.x = x.detach().clone();
    turning.steps =
        torch::full({x.size(0)}, int64_t{-1}, torch::kLong).to(x.device());
    for (int64_t step = 0;; ++step) {
      {
        const c10::NoGradGuard no_grad;
        const torch::Tensor arrived =
            network.forward(turning.x).argmax(1) == targets;
        turning.steps =
            torch::where((turning.steps < 0) & arrived,
                         torch::full_like(turning.steps, step), turning.steps);
      }
      const torch::Tensor left =
          options.stop_there ? (turning.steps < 0).nonzero().squeeze(1)
                             : torch::arange(x.size(0), targets.options());
      if (left.numel() == 0 || step == options.most_steps) return turning;
      const torch::Tensor points = turning.x.index_select(0, left);
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const torch::Tensor directions,
          DirectionsTowards(network, points, targets.index_select(0, left),
                            options.temperature));
      const torch::Tensor lengths = directions.norm(2, {1}, /*keepdim=*/true);
      const torch::Tensor unit = torch::where(
          lengths > 0.0, directions / lengths, torch::zeros_like(directions));
      turning.x = turning.x.index_copy(
          0, left, (points + options.step * unit).clamp(0.0, 1.0));
    }
  });
}

}  // namespace lipschitz::experiments
