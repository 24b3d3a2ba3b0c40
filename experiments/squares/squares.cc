#include "experiments/squares/squares.h"

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

constexpr int64_t kImage = 64;
constexpr int64_t kSquare = 35;
// √(35²): the square's pixels differ by 1.
constexpr double kExactDistance = 35.0;

torch::Tensor White() {
  const int64_t margin = (kImage - kSquare) / 2;
  torch::Tensor image = torch::zeros({kImage, kImage});
  image.narrow(0, margin, kSquare).narrow(1, margin, kSquare).fill_(1.0);
  return image.reshape({1, kImage * kImage});
}

WassersteinConfig ConfigFor(Preset preset) {
  WassersteinConfig config;
  config.mlp().hidden = {128, 64, 32};
  config.batch_size = 0;
  // No more than the published benchmark takes.
  config.steps = preset == Preset::kSmoke ? 20 : 160;
  config.learning_rate = 3e-2;
  config.report_every = 10;
  return config;
}

}  // namespace

absl::StatusOr<std::vector<CriticRun>> SquaresExperiment::Runs(
    const CommonSettings& common) const {
  std::vector<CriticRun> runs;
  const auto add = [&](const std::string& constraint,
                       const std::string& activation) -> absl::Status {
    CriticRun run;
    run.variant = {{"activation", activation}, {"constraint", constraint}};
    run.slug = absl::StrCat(constraint, "-", activation);
    run.config = ConfigFor(common.preset);
    LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().activation,
                               ParseActivation(activation));
    LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().constraint.kind,
                               ParseConstraint(constraint));
    run.problem = [](uint64_t) -> absl::StatusOr<CriticProblem> {
      CriticProblem problem;
      problem.p_samples = White();
      problem.q_samples = torch::zeros_like(problem.p_samples);
      problem.exact = kExactDistance;
      return problem;
    };
    runs.push_back(std::move(run));
    return absl::OkStatus();
  };
  for (const char* constraint : {"stiefel", "polar", "spectral"}) {
    for (const char* activation :
         {"relu", "maxmin", "groupsort4", "fullsort"}) {
      LIPSCHITZ_RETURN_IF_ERROR(add(constraint, activation));
    }
  }
  // A control whose mean difference is no bound.
  LIPSCHITZ_RETURN_IF_ERROR(add("none", "relu"));
  return runs;
}

}  // namespace lipschitz::experiments
