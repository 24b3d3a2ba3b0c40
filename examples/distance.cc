// A certified lower bound on the Wasserstein-1 distance of two point clouds.
#include <torch/torch.h>

#include <iomanip>
#include <iostream>

#include "lipschitz/lipschitz.h"

int main() {
  torch::manual_seed(0);
  const torch::Tensor p = torch::randn({512, 2});
  const torch::Tensor q =
      p + torch::tensor({3.0, 4.0}, torch::kFloat);  // W1 = 5

  lipschitz::MlpConfig config;
  config.input_dim = 2;
  config.hidden = {64, 64};
  config.activation = lipschitz::ActivationSpec::MaxMin();
  auto critic = lipschitz::MakeMlp(config);  // every layer orthonormal
  if (!critic.ok()) {
    std::cerr << critic.status() << "\n";
    return 1;
  }
  lipschitz::AggMo optimizer((*critic)->parameters(),
                             lipschitz::AggMoOptions(0.03));
  for (int step = 0; step < 300; ++step) {
    optimizer.zero_grad();
    const auto f = (*critic)->forward(torch::cat({p, q})).chunk(2);
    lipschitz::DualWassersteinLoss(f[0], f[1]).backward();
    optimizer.step();
    (*critic)->AfterOptimizerStep();
  }
  const auto w1 =
      lipschitz::EstimateWithCritic(**critic, p, q, lipschitz::Norm::kL2);
  if (!w1.ok()) return 1;
  std::cout << std::setprecision(17) << "W1 >= " << w1->LowerBound()
            << ", proven K = " << w1->lipschitz_constant << "\n";
}
