#include "experiments/wasserstein_estimation/free_critic.h"

#include <torch/optim/adam.h>
#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "lipschitz/base/status.h"
#include "lipschitz/data/batches.h"
#include "lipschitz/data/random.h"
#include "lipschitz/losses/dual_wasserstein.h"
#include "lipschitz/losses/gradient_penalty.h"

namespace lipschitz::experiments {
namespace {

constexpr double kPenalty = 10.0;
constexpr double kClip = 0.01;

// Streams of random numbers of a seed. Those of the batches are
// EstimateWasserstein's, so that critics with the same batch size see the same.
constexpr uint64_t kRealStream = 1;
constexpr uint64_t kGeneratedStream = 3;
constexpr uint64_t kBetweenStream = 51;

// A network whose parameters are clipped after every step.
class Clipped : public LayerImpl {
 public:
  explicit Clipped(std::shared_ptr<SequentialImpl> network)
      : LayerImpl("clipped"), network_(std::move(network)) {
    register_module("network", network_);
  }

  torch::Tensor forward(const torch::Tensor& x) override {
    return network_->forward(x);
  }
  void AfterOptimizerStep() override {
    const torch::NoGradGuard no_grad;
    network_->AfterOptimizerStep();
    for (torch::Tensor& parameter : network_->parameters()) {
      parameter.clamp_(-kClip, kClip);
    }
  }

 private:
  std::shared_ptr<SequentialImpl> network_;
};

absl::StatusOr<Batches> BatchesOf(const torch::Tensor& images,
                                  int64_t batch_size, uint64_t seed) {
  BatchesConfig config;
  config.size = images.size(0);
  config.batch_size = batch_size;
  config.seed = seed;
  config.drop_last = true;
  return Batches::Create(config);
}

}  // namespace

absl::StatusOr<FreeCritic> TrainFreeCritic(const CriticSpec& spec,
                                           const NetworkConfig& network,
                                           const TwoSamples& training,
                                           const RunContext& context) {
  FreeCritic result;
  LIPSCHITZ_ASSIGN_OR_RETURN(result.critic, MakeNetwork(network));
  result.critic->to(context.device);
  const bool clips = spec.kind == CriticKind::kClipping;
  const std::shared_ptr<LayerImpl> model =
      clips ? std::make_shared<Clipped>(result.critic.ptr())
            : std::static_pointer_cast<LayerImpl>(result.critic.ptr());
  torch::optim::Adam optimizer(model->parameters(),
                               torch::optim::AdamOptions(spec.learning_rate));
  const int64_t most = std::min(training.p.size(0), training.q.size(0));
  const int64_t batch_size =
      spec.batch_size == 0 ? most : std::min(spec.batch_size, most);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      Batches of_p,
      BatchesOf(training.p, batch_size, StreamSeed(context.seed, kRealStream)));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      Batches of_q, BatchesOf(training.q, batch_size,
                              StreamSeed(context.seed, kGeneratedStream)));
  RandomSource random(StreamSeed(context.seed, kBetweenStream));

  TrainingOptions options;
  options.steps = spec.steps;
  options.learning_rate = spec.learning_rate;
  options.schedule = WassersteinConfig().schedule;
  options.checkpoint = context.checkpoint;
  TrainingHooks hooks;
  hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
    const torch::Tensor p =
        training.p.index_select(0, of_p.At(step)).to(context.device);
    const torch::Tensor q =
        training.q.index_select(0, of_q.At(step)).to(context.device);
    const torch::Tensor values = model->forward(torch::cat({p, q})).squeeze(1);
    torch::Tensor loss =
        DualWassersteinLoss(values.narrow(0, 0, batch_size),
                            values.narrow(0, batch_size, batch_size));
    if (!clips) {
      const torch::Tensor between =
          RandomPointsBetween(p, q, random.generator());
      loss = loss +
             kPenalty * GradientNormPenalty(model->forward(between), between);
    }
    return loss;
  };
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(result.training,
                             Train(*model, optimizer, random, options, hooks));
  result.critic->eval();
  return result;
}

}  // namespace lipschitz::experiments
