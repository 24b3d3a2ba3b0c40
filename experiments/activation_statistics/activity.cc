#include "experiments/activation_statistics/activity.h"

#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/linearisation.h"

namespace lipschitz::experiments {
namespace {

constexpr int kThresholds = 21;
constexpr double kNearly = 0.95;

double Mean(const torch::Tensor& values) {
  return values.to(torch::kDouble).mean().item<double>();
}

}  // namespace

std::vector<double> Thresholds() {
  std::vector<double> thresholds(kThresholds);
  for (int i = 0; i < kThresholds; ++i) {
    thresholds[i] = static_cast<double>(i) / (kThresholds - 1);
  }
  return thresholds;
}

double FixedRate(const ActivationStatistics& layer, double threshold) {
  // Of a pair either both units move or none.
  const torch::Tensor& share =
      layer.moved.defined() ? layer.moved : layer.positive;
  return Mean(torch::maximum(share, 1.0 - share) >= threshold);
}

Metrics ActivityOf(const std::vector<ActivationStatistics>& layers) {
  Metrics sums;
  for (const ActivationStatistics& layer : layers) {
    sums["undead_rate"] += layer.UndeadRate(kNearly);
    sums["dead_rate"] += Mean(layer.positive <= 1.0 - kNearly);
    sums["fixed_rate"] += FixedRate(layer, kNearly);
    sums["active_share"] += Mean(layer.positive);
    if (layer.moved.defined()) sums["first_share"] += Mean(layer.moved);
  }
  for (auto& [name, sum] : sums) sum /= static_cast<double>(layers.size());
  return sums;
}

absl::StatusOr<double> JacobianVariation(SequentialImpl& network,
                                         const torch::Tensor& x) {
  using Result = absl::StatusOr<double>;
  return CatchTorch("Jacobian variation", [&]() -> Result {
    const Float64Evaluation evaluation(network);
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const Linearisation linearisation,
        Linearisation::At(ForwardOf(network), x.to(torch::kDouble)));
    const torch::Tensor jacobians = linearisation.Jacobians();
    const double mean_square = jacobians.square().sum().item<double>() /
                               static_cast<double>(jacobians.size(0));
    const double square_of_mean =
        jacobians.mean(0).square().sum().item<double>();
    // A constant network has no Jacobians that could differ.
    return mean_square > 0.0 ? 1.0 - square_of_mean / mean_square : 0.0;
  });
}

}  // namespace lipschitz::experiments
