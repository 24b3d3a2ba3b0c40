#include "lipschitz/training/wasserstein_gan.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/losses/dual_wasserstein.h"
#include "lipschitz/losses/gradient_penalty.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<WassersteinGanKind, const char*>, 3> kNames = {{
    {WassersteinGanKind::kWgan, "wgan"},
    {WassersteinGanKind::kWganGp, "wgan_gp"},
    {WassersteinGanKind::kLwgan, "lwgan"},
}};

torch::optim::AdamOptions StepsOf(const WassersteinGanConfig& config,
                                  double learning_rate) {
  return torch::optim::AdamOptions(learning_rate)
      .betas({config.beta1, config.beta2});
}

// While it lives, computations carry no gradients to a module's parameters.
class Frozen {
 public:
  explicit Frozen(const torch::nn::Module& module)
      : parameters_(module.parameters()) {
    Set(false);
  }
  ~Frozen() { Set(true); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  void Set(bool requires_grad) {
    for (torch::Tensor& parameter : parameters_) {
      parameter.requires_grad_(requires_grad);
    }
  }

  std::vector<torch::Tensor> parameters_;
};

// Gaussian weights of deviation 0.02 and no bias, for weights that are free.
// Source: A. Radford et al., "Unsupervised Representation Learning with Deep
// Convolutional Generative Adversarial Networks" (ICLR 2016).
void StartLikeDcgan(SequentialImpl& critic) {
  const torch::NoGradGuard no_grad;
  for (torch::Tensor parameter : critic.parameters()) {
    if (parameter.dim() > 1) {
      parameter.normal_(0.0, 0.02);
    } else {
      parameter.zero_();
    }
  }
}

}  // namespace

std::string WassersteinGanName(WassersteinGanKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "unknown";
}

absl::StatusOr<WassersteinGanKind> ParseWassersteinGan(
    const std::string& name) {
  for (const auto& [value, known] : kNames) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown kind of GAN '", name,
                   "'; known: ", absl::StrJoin(WassersteinGanNames(), ", ")));
}

std::vector<std::string> WassersteinGanNames() {
  std::vector<std::string> names;
  for (const auto& item : kNames) names.push_back(item.second);
  return names;
}

absl::Status WassersteinGanConfig::Validate() const {
  LIPSCHITZ_RETURN_IF_ERROR(generator.Validate());
  if (critic_channels.size() != 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        "GAN: the critic has two convolutions, and critic_channels has ",
        critic_channels.size(), " numbers"));
  }
  // Batch normalisation of one image has no variance.
  if (batch_size < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("GAN: batch_size must be at least 2, got ", batch_size));
  }
  if (!(generator_learning_rate > 0.0) || !(critic_learning_rate > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("GAN: learning rates must be positive, got ",
                     generator_learning_rate, " and ", critic_learning_rate));
  }
  const auto is_beta = [](double beta) { return beta >= 0.0 && beta < 1.0; };
  if (!is_beta(beta1) || !is_beta(beta2)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "GAN: beta1 and beta2 must be in [0, 1), got ", beta1, " and ", beta2));
  }
  if (!(clip > 0.0) || !(penalty > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("GAN: clip and penalty must be positive, got ", clip,
                     " and ", penalty));
  }
  return CriticNetwork(*this).Validate();
}

ConvNetConfig CriticNetwork(const WassersteinGanConfig& config) {
  const GeneratorConfig& images = config.generator;
  ConvNetConfig critic =
      GanCritic(images.channels, images.height, images.width);
  for (size_t i = 0;
       i < critic.stages.size() && i < config.critic_channels.size(); ++i) {
    critic.stages[i].channels = config.critic_channels[i];
  }
  critic.hidden = {config.critic_hidden};
  if (config.kind == WassersteinGanKind::kLwgan) {
    for (ConvStage& stage : critic.stages) {
      stage.padding_mode = PaddingMode::kCircular;
      stage.padding = 0;
    }
    critic.activation = ActivationSpec::MaxMin();
    critic.convolution.kind = ConvolutionConstraintKind::kOrthogonal;
    critic.dense.kind = ConstraintKind::kStiefel;
  } else {
    critic.activation = ActivationSpec::LeakyRelu(0.2);
    critic.convolution.kind = ConvolutionConstraintKind::kNone;
    critic.dense.kind = ConstraintKind::kNone;
  }
  return critic;
}

absl::StatusOr<std::shared_ptr<WassersteinGan>> WassersteinGan::Create(
    const WassersteinGanConfig& config) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  return CatchTorch(
      "GAN", [&]() -> absl::StatusOr<std::shared_ptr<WassersteinGan>> {
        Generator generator(config.generator);
        LIPSCHITZ_ASSIGN_OR_RETURN(Sequential critic,
                                   MakeConvNet(CriticNetwork(config)));
        return std::shared_ptr<WassersteinGan>(
            new WassersteinGan(config, generator, critic));
      });
}

WassersteinGan::WassersteinGan(const WassersteinGanConfig& config,
                               Generator generator, Sequential critic)
    : LayerImpl(WassersteinGanName(config.kind)),
      config_(config),
      generator_(std::move(generator)),
      critic_(std::move(critic)),
      generator_optimizer_(generator_->parameters(),
                           StepsOf(config, config.generator_learning_rate)),
      critic_optimizer_(critic_->parameters(),
                        StepsOf(config, config.critic_learning_rate)) {
  register_module("generator", generator_.ptr());
  register_module("critic", critic_.ptr());
  if (config_.kind != WassersteinGanKind::kLwgan) StartLikeDcgan(*critic_);
  sums_ = register_buffer("sums", torch::zeros({4}, torch::kDouble));
}

torch::Tensor WassersteinGan::Noise(int64_t n,
                                    const RandomSource& random) const {
  return GeneratorNoise(config_.generator, n, random.generator())
      .to(generator_->parameters().front().device());
}

absl::Status WassersteinGan::CriticStep(const torch::Tensor& images,
                                        const RandomSource& random) {
  torch::Tensor generated;
  {
    const torch::NoGradGuard no_grad;
    generated = generator_->forward(Noise(images.size(0), random));
  }
  critic_optimizer_.zero_grad();
  // One forward pass: the constrained weights are computed once.
  const std::vector<torch::Tensor> values =
      critic_->forward(torch::cat({images, generated})).squeeze(1).chunk(2);
  const torch::Tensor estimate = DualWassersteinObjective(values[0], values[1]);
  torch::Tensor loss = -estimate;
  double penalty = 0.0;
  if (config_.kind == WassersteinGanKind::kWganGp) {
    const torch::Tensor between =
        RandomPointsBetween(images, generated, random.generator());
    const torch::Tensor gradient_penalty =
        GradientNormPenalty(critic_->forward(between), between);
    penalty = gradient_penalty.item<double>();
    loss = loss + config_.penalty * gradient_penalty;
  }
  const double value = loss.item<double>();
  if (!std::isfinite(value)) {
    return absl::AbortedError(absl::StrCat("the critic's loss became ", value));
  }
  loss.backward();
  critic_optimizer_.step();
  critic_->AfterOptimizerStep();
  if (config_.kind == WassersteinGanKind::kWgan) {
    const torch::NoGradGuard no_grad;
    for (torch::Tensor& parameter : critic_->parameters()) {
      parameter.clamp_(-config_.clip, config_.clip);
    }
  }
  sums_ += torch::tensor({1.0, value, estimate.item<double>(), penalty},
                         sums_.options());
  return absl::OkStatus();
}

torch::Tensor WassersteinGan::GeneratorLoss(const RandomSource& random) {
  const Frozen frozen(*critic_);
  return -critic_
              ->forward(generator_->forward(Noise(config_.batch_size, random)))
              .mean();
}

Metrics WassersteinGan::TakeCriticMetrics() {
  const double steps = sums_[0].item<double>();
  Metrics metrics;
  if (steps > 0.0) {
    metrics["critic_loss"] = sums_[1].item<double>() / steps;
    metrics["critic_estimate"] = sums_[2].item<double>() / steps;
    if (config_.kind == WassersteinGanKind::kWganGp) {
      metrics["gradient_penalty"] = sums_[3].item<double>() / steps;
    }
  }
  sums_.zero_();
  return metrics;
}

}  // namespace lipschitz
