// Wasserstein GANs (M. Arjovsky et al., 2017): a generator against a critic
// that is held near a Lipschitz constant of 1 in one of three ways.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/generator.h"
#include "lipschitz/optim/adam.h"
#include "lipschitz/training/history.h"

namespace lipschitz {

// The free critics of the first two start Gaussian, with deviation 0.02 and no
// bias, as the generator does.
enum class WassersteinGanKind {
  // Weights clipped to a box after every step of the critic.
  kWgan,
  // A penalty on gradient norms away from 1 between images of both sides (I.
  // Gulrajani et al., 2017).
  kWganGp,
  // A critic whose layers are orthogonal and orthonormal, with MaxMin: its
  // constant is 1 in l2 by construction (Anil et al., 2019).
  kLwgan,
};

// "wgan", "wgan_gp", "lwgan".
std::string WassersteinGanName(WassersteinGanKind kind);
absl::StatusOr<WassersteinGanKind> ParseWassersteinGan(const std::string& name);
std::vector<std::string> WassersteinGanNames();

struct WassersteinGanConfig {
  WassersteinGanKind kind = WassersteinGanKind::kLwgan;
  GeneratorConfig generator;
  // Of the critic's two convolutions, 4×4 with stride 2, and its hidden layer.
  std::vector<int64_t> critic_channels = {64, 128};
  int64_t critic_hidden = 1024;
  // Images of each side in a step of the critic, and of the generator's step.
  int64_t batch_size = 64;

  // Adam, for both networks.
  double generator_learning_rate = 2e-4;
  double critic_learning_rate = 2e-4;
  double beta1 = 0.5;
  double beta2 = 0.999;

  double clip = 0.01;     // of kWgan
  double penalty = 10.0;  // of kWganGp: λ

  // InvalidArgument, naming what does not fit.
  absl::Status Validate() const;
};

// The critic's layers. kLwgan: orthogonal convolutions with circular padding,
// for which alone they are orthogonal, MaxMin, orthonormal dense layers. The
// others: GanCritic with leaky ReLU of slope 0.2 and free weights. No batch
// normalisation in any: it couples the images of a batch, and a critic that
// does is no function of one image.
ConvNetConfig CriticNetwork(const WassersteinGanConfig& config);

// Both networks, their optimisers and what the critic's steps added up to, so
// that a checkpoint holds it all:
//
//   \code
//   hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
//     for (int i = 0; i < 5; ++i) {
//       LIPSCHITZ_RETURN_IF_ERROR(gan->CriticStep(NextImages(), random));
//     }
//     return gan->GeneratorLoss(random);
//   };
//   Train(*gan, gan->generator_optimizer(), random, options, hooks,
//         {&gan->critic_optimizer()});
//   \endcode
class WassersteinGan : public LayerImpl {
 public:
  // Weights are drawn from LibTorch's default generator.
  static absl::StatusOr<std::shared_ptr<WassersteinGan>> Create(
      const WassersteinGanConfig& config);

  // Noise to flat images, as the generator does.
  torch::Tensor forward(const torch::Tensor& z) override {
    return generator_->forward(z);
  }
  void AfterTraining() override { critic_->AfterTraining(); }

  // One optimiser step of the critic against `images`, (batch, pixels) in
  // [−1, 1], with as many images of the generator in its present mode. Aborted
  // when the critic's loss is not finite.
  absl::Status CriticStep(const torch::Tensor& images,
                          const RandomSource& random);

  // −mean f(G(z)) over a batch; its graph reaches the generator's parameters
  // alone.
  torch::Tensor GeneratorLoss(const RandomSource& random);

  // Means over the critic's steps since the last call: "critic_loss" (what was
  // minimised), "critic_estimate" (mean f(x) − mean f(G(z)), a bound on W1 only
  // where f's constant is at most 1) and, of kWganGp, "gradient_penalty"
  // (without λ). None where there was no step.
  Metrics TakeCriticMetrics();

  const WassersteinGanConfig& config() const { return config_; }
  Generator& generator() { return generator_; }
  Sequential& critic() { return critic_; }
  torch::optim::Optimizer& generator_optimizer() {
    return generator_optimizer_;
  }
  torch::optim::Optimizer& critic_optimizer() { return critic_optimizer_; }

 private:
  WassersteinGan(const WassersteinGanConfig& config, Generator generator,
                 Sequential critic);

  torch::Tensor Noise(int64_t n, const RandomSource& random) const;

  WassersteinGanConfig config_;
  Generator generator_;
  Sequential critic_;
  Adam generator_optimizer_;
  Adam critic_optimizer_;
  // {steps, Σ loss, Σ estimate, Σ penalty}.
  torch::Tensor sums_;
};

}  // namespace lipschitz
