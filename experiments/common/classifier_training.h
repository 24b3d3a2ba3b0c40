// How the classification experiments train: a recipe, and what came of it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {

enum class ClassifierLoss {
  kCrossEntropy,
  kMargin,  // multi-class hinge: MultiMarginLoss
};

// Training on attacked images. Source: A. Madry et al., "Towards Deep Learning
// Models Resistant to Adversarial Attacks" (ICLR 2018).
struct AdversarialTraining {
  Norm norm = Norm::kL2;
  double epsilon = 0.0;  // 0: none
  int64_t steps = 5;
  double step_fraction = 0.35;
  // The share of the training over which the radius grows from 0 to epsilon: a
  // network that is attacked with all of it at once may stay constant.
  double ramp = 0.5;
};

struct ClassifierRecipe {
  // The sizes of input and output follow from the data.
  NetworkConfig network;
  ClassifierLoss loss = ClassifierLoss::kCrossEntropy;
  double margin = 1.0;  // of kMargin, in units of logits
  // Before the cross-entropy the label's logit is lowered by the offset, so
  // that a margin below it is still punished, and all are multiplied by the
  // temperature: a network with K = 1 cannot grow them. Source: B. Prach and
  // C. H. Lampert, "Almost-Orthogonal Layers for Efficient General-Purpose
  // Lipschitz Networks" (ECCV 2022).
  double offset = 0.0;
  double temperature = 1.0;
  // Times the mean squared Frobenius norm of the input Jacobian.
  double jacobian_penalty = 0.0;
  AdversarialTraining adversarial;
  // Pixels that training images are moved by at most, at random.
  int64_t shift = 0;

  int64_t epochs = 5;
  int64_t batch_size = 128;
  double learning_rate = 1e-3;  // at the start; to 0 along half a cosine
  OptimizerKind optimizer = OptimizerKind::kAdam;
  // Training images held out for validation, stratified, drawn with the run's
  // seed: settings are compared on them, never on the test set.
  int64_t held_out = 0;

  // Also whether network, held_out and shift fit the images.
  absl::Status Validate(const ImageDataset& data) const;
  // Every setting above, for a record.
  Json ToJson() const;

  // The network, where it is an MLP.
  MlpConfig& mlp() { return std::get<MlpConfig>(network); }
  const MlpConfig& mlp() const { return std::get<MlpConfig>(network); }
};

// What replaces values of a recipe, for searches: what a user asked for. Offset
// and temperature are the cross-entropy's, the margin is the hinge's: recipes
// with the other loss keep theirs.
struct RecipeChanges {
  std::optional<int64_t> epochs;
  std::optional<int64_t> batch_size;
  std::optional<double> learning_rate;
  std::optional<OptimizerKind> optimizer;
  std::optional<double> offset;
  std::optional<double> temperature;
  std::optional<double> margin;
  std::optional<int64_t> shift;
  std::optional<int64_t> held_out;

  ClassifierRecipe AppliedTo(ClassifierRecipe recipe) const;
  // InvalidArgument, with the flag, where a part of a loss is to be replaced
  // that none of `recipes` has.
  absl::Status ExpectUse(const std::vector<ClassifierRecipe>& recipes) const;
};

// Metrics of validation images from their logits (n, classes) and labels (n).
using Validation = std::function<Metrics(const torch::Tensor& logits,
                                         const torch::Tensor& labels)>;

// What else is looked at while a network trains: it is in evaluation mode
// meanwhile, and must be left as it is found, LibTorch's default generator too.
struct ClassifierProbes {
  // Optional: of the network before its first step.
  std::function<absl::Status(SequentialImpl& network)> initial;
  // Optional: once per epoch, for the history.
  std::function<absl::StatusOr<Metrics>(SequentialImpl& network)> epoch;
  // Whether the network is measured before it is finished, too: on the test
  // images.
  bool as_trained = false;
};

// A network as the last step left it, before it was finished.
struct AsTrained {
  double bound = 0.0;  // in the norm that was asked for
  double test_accuracy = 0.0;
};

struct TrainedClassifier {
  // In evaluation mode, finished (LayerImpl::AfterTraining).
  Sequential network{nullptr};
  NetworkConfig config;
  TrainingResult training;
  // On the validation images, of the finished network; empty without any.
  Metrics validation;
  // When ClassifierProbes asked for it.
  std::optional<AsTrained> as_trained;
};

// Trains on the training part of `data`; history once per epoch, with
// `validate` on what is held out (its metrics' names get "validation_" before
// them).
absl::StatusOr<TrainedClassifier> TrainClassifier(
    const ClassifierRecipe& recipe, Norm norm, const ImageDataset& data,
    const Validation& validate, const RunContext& context,
    const ClassifierProbes& probes = {});

// Writes the finished network (SaveModel) with what a user should know of it:
// the experiment, `model` (its name), the norm that the experiment certifies it
// in, the dataset, the range of its inputs and the names of its classes.
absl::Status SaveClassifier(const std::string& path,
                            const std::string& experiment,
                            const std::string& model, Norm norm,
                            const ImageDataset& data,
                            TrainedClassifier& trained);

// Logits of `images` (n, pixels) in batches, without a graph.
torch::Tensor Logits(SequentialImpl& network, const torch::Tensor& images);

// {"accuracy": share of the images whose label has the largest logit, alone}.
Metrics AccuracyOf(const torch::Tensor& logits, const torch::Tensor& labels);

}  // namespace lipschitz::experiments
