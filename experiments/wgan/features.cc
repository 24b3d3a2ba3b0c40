#include "experiments/wgan/features.h"

#include <ATen/ATen.h>

#include <utility>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/image_data.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/models/conv_net.h"

namespace lipschitz::experiments {
namespace {

constexpr uint64_t kClassifierStream = 31;
constexpr int64_t kBatch = 500;

ClassifierRecipe Recipe(int64_t epochs) {
  // The images' size follows from the data.
  ConvNetConfig lenet = LeNet(0, 0, 0, 0);
  lenet.activation = ActivationSpec::MaxMin();
  lenet.convolution.kind = ConvolutionConstraintKind::kNone;
  lenet.dense.kind = ConstraintKind::kNone;
  ClassifierRecipe recipe;
  recipe.network = lenet;
  recipe.epochs = epochs;
  recipe.batch_size = 64;
  recipe.learning_rate = 3e-3;
  return recipe;
}

}  // namespace

torch::Tensor FeatureNetwork::Features(const torch::Tensor& images) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor parameter = network_->parameters().front();
  std::vector<torch::Tensor> features;
  for (const torch::Tensor& batch : images.split(kBatch)) {
    torch::Tensor x = (batch.to(parameter.options()) + 1.0) * 0.5;
    for (size_t i = 0; i + 1 < network_->size(); ++i) {
      x = network_->layer(i)->forward(x);
    }
    features.push_back(x.cpu());
  }
  return torch::cat(features);
}

absl::StatusOr<std::shared_ptr<const FeatureNetwork>> FeatureNetworks::Get(
    const ImageDataset& data, const RunContext& context) {
  const auto found = networks_.find(context.seed);
  if (found != networks_.end()) return found->second;
  RunContext own;
  own.seed = StreamSeed(context.seed, kClassifierStream);
  own.device = context.device;
  own.progress = context.progress;
  own.stop_requested = context.stop_requested;
  SetSeed(own.seed);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(Recipe(epochs_), Norm::kL2, data, AccuracyOf, own));
  const torch::Device device(context.device);
  const Metrics test =
      AccuracyOf(Logits(*trained.network, FlatPixels(data.test).to(device)),
                 data.test.labels.to(device));
  const auto network = std::make_shared<const FeatureNetwork>(
      trained.network, test.at("accuracy"));
  networks_[context.seed] = network;
  return network;
}

}  // namespace lipschitz::experiments
