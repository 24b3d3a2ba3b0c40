#include "experiments/common/classifier_training.h"

#include <torch/nn/functional/loss.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiments/common/image_data.h"
#include "lipschitz/attacks/attack.h"
#include "lipschitz/attacks/feasible_set.h"
#include "lipschitz/attacks/objective.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/augmentation.h"
#include "lipschitz/data/batches.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/split.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/convolution_norm_bound.h"
#include "lipschitz/linalg/norm_bound.h"
#include "lipschitz/losses/jacobian_penalty.h"
#include "lipschitz/losses/margin.h"
#include "lipschitz/models/saved_model.h"

namespace lipschitz::experiments {
namespace {

// Streams of random numbers of a run.
constexpr uint64_t kBatchStream = 1;
constexpr uint64_t kSplitStream = 2;
constexpr uint64_t kNoiseStream = 3;

constexpr int64_t kEvaluationBatch = 1000;

std::string LossName(ClassifierLoss loss) {
  return loss == ClassifierLoss::kMargin ? "margin" : "cross_entropy";
}

// The bound of the network with the weights that training applies, from `norm`
// to itself.
absl::StatusOr<double> BoundAsTrained(SequentialImpl& network, Norm norm) {
  BoundTable table = BoundTable::SameNorm(1.0);
  for (size_t i = 0; i < network.size(); ++i) {
    LayerImpl& layer = *network.layer(i);
    BoundTable next;
    if (auto* const linear = layer.as<LinearImpl>()) {
      LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor weight,
                                 linear->ConstrainedWeight());
      LIPSCHITZ_ASSIGN_OR_RETURN(next, OperatorNormBounds(weight.detach()));
      next = next.Times(linear->AppliedScale());
    } else if (auto* const convolution = layer.as<Conv2dImpl>()) {
      LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor kernel,
                                 convolution->ConstrainedKernel());
      LIPSCHITZ_ASSIGN_OR_RETURN(
          next, ConvolutionNormBounds(kernel.detach(),
                                      convolution->config().geometry));
      next = next.Times(convolution->AppliedScale());
    } else {
      LIPSCHITZ_ASSIGN_OR_RETURN(next, layer.LipschitzBounds());
    }
    table = table.Then(next);
  }
  return table.At(norm, norm);
}

// Images that maximise the loss within the radius, about.
class Adversary {
 public:
  Adversary(const AdversarialTraining& options, const RandomSource& random)
      : options_(options), random_(random) {}

  // The radius in a step of so many.
  double Radius(int64_t step, int64_t steps) const {
    const double ramp = options_.ramp * static_cast<double>(steps);
    return options_.epsilon *
           std::min(1.0, static_cast<double>(step + 1) / std::max(1.0, ramp));
  }

  torch::Tensor Attack(SequentialImpl& network, const torch::Tensor& x,
                       const torch::Tensor& labels, double radius) const {
    const Classifier classifier = [&network](const torch::Tensor& input) {
      return network.forward(input);
    };
    const FeasibleSet set(x, MakeThreat(options_.norm, radius));
    torch::Tensor point = set.RandomPoint(random_);
    for (int64_t step = 0; step < options_.steps; ++step) {
      const torch::Tensor gradient =
          EvaluateObjective(classifier, AttackObjective::kCrossEntropy, point,
                            labels)
              .gradient;
      point =
          set.Project(point + set.reach() * set.Direction(gradient, random_) *
                                  options_.step_fraction);
    }
    return point;
  }

 private:
  const AdversarialTraining& options_;
  const RandomSource& random_;
};

torch::Tensor LossOf(const ClassifierRecipe& recipe,
                     const torch::Tensor& logits, const torch::Tensor& labels) {
  if (recipe.loss == ClassifierLoss::kMargin) {
    return MultiMarginLoss(logits, labels, recipe.margin);
  }
  const torch::Tensor offset =
      torch::zeros_like(logits).scatter_(1, labels.unsqueeze(1), recipe.offset);
  return torch::nn::functional::cross_entropy(
      (logits - offset) * recipe.temperature, labels);
}

torch::Tensor PenalisedLossOf(const ClassifierRecipe& recipe,
                              SequentialImpl& network, const torch::Tensor& x,
                              const torch::Tensor& labels,
                              const RandomSource& random) {
  if (recipe.jacobian_penalty == 0.0) {
    return LossOf(recipe, network.forward(x), labels);
  }
  const torch::Tensor input = x.detach().requires_grad_(true);
  const torch::Tensor logits = network.forward(input);
  return LossOf(recipe, logits, labels) +
         recipe.jacobian_penalty *
             FrobeniusJacobianPenalty(logits, input, random.generator());
}

// What dropout leaves out is no part of the network; the constraints stay those
// of training.
void EvaluateAllButConstraints(SequentialImpl& network) {
  for (size_t i = 0; i < network.size(); ++i) {
    LayerImpl& layer = *network.layer(i);
    if (layer.as<LinearImpl>() == nullptr &&
        layer.as<Conv2dImpl>() == nullptr) {
      layer.eval();
    }
  }
}

absl::Status MeasureAsTrained(SequentialImpl& network, Norm norm,
                              const LabelledImages& test,
                              const torch::Device& device, AsTrained* found) {
  LIPSCHITZ_ASSIGN_OR_RETURN(found->bound, BoundAsTrained(network, norm));
  EvaluateAllButConstraints(network);
  const torch::Tensor logits = Logits(network, FlatPixels(test).to(device));
  found->test_accuracy =
      AccuracyOf(logits, test.labels.to(device)).at("accuracy");
  return absl::OkStatus();
}

// What of a network its record should say; every option of a constraint that is
// not named has its default.
Json Describe(const MlpConfig& network) {
  Json activations = Json::array();
  for (const ActivationSpec& spec : network.activations) {
    activations.push_back(spec.Name());
  }
  return {{"hidden", network.hidden},
          {"activation", network.activations.empty()
                             ? Json(network.activation.Name())
                             : activations},
          {"constraint", ConstraintName(network.constraint.kind)},
          {"dropout", network.dropout}};
}

Json Describe(const ConvNetConfig& network) {
  Json stages = Json::array();
  for (const ConvStage& stage : network.stages) {
    stages.push_back({{"channels", stage.channels},
                      {"kernel", stage.kernel},
                      {"stride", stage.stride},
                      {"padding_mode", PaddingModeName(stage.padding_mode)},
                      {"padding", stage.padding},
                      {"max_pool", stage.max_pool}});
  }
  return {{"stages", stages},
          {"hidden", network.hidden},
          {"activation", network.activation.Name()},
          {"convolution", ConvolutionConstraintName(network.convolution.kind)},
          {"dense", ConstraintName(network.dense.kind)},
          {"dropout", network.dropout}};
}

// Takes the sizes of the images.
void FitTo(const ImageDataset& data, MlpConfig* network) {
  network->input_dim = data.pixels();
  network->output_dim = data.classes();
}

void FitTo(const ImageDataset& data, ConvNetConfig* network) {
  network->channels = data.channels();
  network->height = data.height();
  network->width = data.width();
  network->output_dim = data.classes();
}

NetworkConfig Fitted(NetworkConfig network, const ImageDataset& data) {
  std::visit([&](auto& config) { FitTo(data, &config); }, network);
  return network;
}

struct Parts {
  LabelledImages train;
  torch::Tensor validation_x;  // undefined where nothing is held out
  torch::Tensor validation_y;
};

absl::StatusOr<Parts> Divide(const ClassifierRecipe& recipe,
                             const ImageDataset& data,
                             const RunContext& context) {
  if (recipe.held_out == 0) return Parts{data.train, {}, {}};
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Split split,
      StratifiedSplit(data.train.labels, recipe.held_out,
                      StreamSeed(context.seed, kSplitStream)));
  const LabelledImages validation = data.train.Select(split.validation);
  return Parts{data.train.Select(split.train),
               FlatPixels(validation).to(context.device),
               validation.labels.to(context.device)};
}

}  // namespace

absl::Status ClassifierRecipe::Validate(const ImageDataset& data) const {
  if (epochs < 1 || batch_size < 1 || held_out < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "epochs and batch_size must be at least 1 and held_out not negative, "
        "got ",
        epochs, ", ", batch_size, " and ", held_out));
  }
  if (!(learning_rate > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("learning_rate must be positive, got ", learning_rate));
  }
  if (!(margin > 0.0) || !(temperature > 0.0) || !(offset >= 0.0) ||
      !(jacobian_penalty >= 0.0) || !(adversarial.epsilon >= 0.0) ||
      shift < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "margin and temperature must be positive, offset, jacobian_penalty, "
        "the training's epsilon and shift not negative, got ",
        margin, ", ", temperature, ", ", offset, ", ", jacobian_penalty, ", ",
        adversarial.epsilon, " and ", shift));
  }
  if (held_out >= data.train.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("held_out must leave images to train on: ", data.name,
                     " has ", data.train.size(), ", got ", held_out));
  }
  if (shift >= std::min(data.height(), data.width())) {
    return absl::InvalidArgumentError(
        absl::StrCat("a shift of ", shift, " pixels takes images of ",
                     data.height(), " × ", data.width(), " out of sight"));
  }
  return ValidateNetwork(Fitted(network, data));
}

Json ClassifierRecipe::ToJson() const {
  Json json =
      std::visit([](const auto& config) { return Describe(config); }, network);
  // Of weights that are free (LinearImpl says how the others start).
  const std::string free = ConstraintName(ConstraintKind::kNone);
  if (json.value("constraint", "") == free || json.value("dense", "") == free) {
    json["start"] = "he";
  }
  json["loss"] = LossName(loss);
  if (loss == ClassifierLoss::kMargin) {
    json["margin"] = margin;
  } else {
    json["offset"] = offset;
    json["temperature"] = temperature;
  }
  json["jacobian_penalty"] = jacobian_penalty;
  if (adversarial.epsilon > 0.0) {
    json["adversarial_training"] = {
        {"norm", NormName(adversarial.norm)},
        {"epsilon", adversarial.epsilon},
        {"steps", adversarial.steps},
        {"step_fraction", adversarial.step_fraction},
        {"ramp", adversarial.ramp}};
  }
  if (shift > 0) json["shift"] = shift;
  json.update(Json({{"optimizer", OptimizerName(optimizer)},
                    {"epochs", epochs},
                    {"batch_size", batch_size},
                    {"learning_rate", learning_rate},
                    {"schedule", "cosine"},
                    {"held_out", held_out}}));
  const bool is_muon = optimizer == OptimizerKind::kMuon ||
                       optimizer == OptimizerKind::kFastMuon;
  if (is_muon && std::holds_alternative<ConvNetConfig>(network)) {
    // Absent from records of steps that left kernels to Adam.
    json["kernel_steps"] = "orthogonalised";
  }
  return json;
}

ClassifierRecipe RecipeChanges::AppliedTo(ClassifierRecipe recipe) const {
  recipe.epochs = epochs.value_or(recipe.epochs);
  recipe.batch_size = batch_size.value_or(recipe.batch_size);
  recipe.learning_rate = learning_rate.value_or(recipe.learning_rate);
  recipe.optimizer = optimizer.value_or(recipe.optimizer);
  if (recipe.loss == ClassifierLoss::kCrossEntropy) {
    recipe.offset = offset.value_or(recipe.offset);
    recipe.temperature = temperature.value_or(recipe.temperature);
  } else {
    recipe.margin = margin.value_or(recipe.margin);
  }
  recipe.shift = shift.value_or(recipe.shift);
  recipe.held_out = held_out.value_or(recipe.held_out);
  return recipe;
}

absl::Status RecipeChanges::ExpectUse(
    const std::vector<ClassifierRecipe>& recipes) const {
  const auto any_has = [&recipes](ClassifierLoss loss) {
    return std::any_of(
        recipes.begin(), recipes.end(),
        [loss](const ClassifierRecipe& recipe) { return recipe.loss == loss; });
  };
  if ((offset || temperature) && !any_has(ClassifierLoss::kCrossEntropy)) {
    return absl::InvalidArgumentError(
        "--offset and --temperature change nothing here: they are for models "
        "that train with the cross-entropy of lowered logits");
  }
  if (margin && !any_has(ClassifierLoss::kMargin)) {
    return absl::InvalidArgumentError(
        "--margin changes nothing here: it is for models that train with the "
        "hinge");
  }
  return absl::OkStatus();
}

absl::Status SaveClassifier(const std::string& path,
                            const std::string& experiment,
                            const std::string& model, Norm norm,
                            const ImageDataset& data,
                            TrainedClassifier& trained) {
  return SaveModel(path, trained.config, trained.network,
                   {{"experiment", experiment},
                    {"model", model},
                    {"norm", NormName(norm)},
                    {"dataset", data.name},
                    {"input_range", "0,1"},
                    {"class_names", absl::StrJoin(data.class_names, ",")}});
}

torch::Tensor Logits(SequentialImpl& network, const torch::Tensor& images) {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> logits;
  for (const torch::Tensor& batch : images.split(kEvaluationBatch)) {
    logits.push_back(network.forward(batch));
  }
  return torch::cat(logits);
}

Metrics AccuracyOf(const torch::Tensor& logits, const torch::Tensor& labels) {
  return {{"accuracy", (LogitMargins(logits, labels) > 0)
                           .to(torch::kDouble)
                           .mean()
                           .item<double>()}};
}

absl::StatusOr<TrainedClassifier> TrainClassifier(
    const ClassifierRecipe& recipe, Norm norm, const ImageDataset& data,
    const Validation& validate, const RunContext& context,
    const ClassifierProbes& probes) {
  LIPSCHITZ_RETURN_IF_ERROR(recipe.Validate(data));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Parts parts, Divide(recipe, data, context));
  BatchesConfig batching;
  batching.size = parts.train.size();
  batching.batch_size = recipe.batch_size;
  batching.seed = StreamSeed(context.seed, kBatchStream);
  LIPSCHITZ_ASSIGN_OR_RETURN(Batches batches, Batches::Create(batching));

  TrainedClassifier result;
  result.config = Fitted(recipe.network, data);
  LIPSCHITZ_ASSIGN_OR_RETURN(result.network, MakeNetwork(result.config));
  Sequential& network = result.network;
  const torch::Device device(context.device);
  network->to(device);
  if (probes.initial) {
    const EvaluationMode evaluation(*network);
    LIPSCHITZ_RETURN_IF_ERROR(probes.initial(*network));
  }
  const auto optimizer = MakeOptimizer(recipe.optimizer, network->parameters(),
                                       recipe.learning_rate);
  RandomSource random(StreamSeed(context.seed, kNoiseStream));
  const Adversary adversary(recipe.adversarial, random);

  TrainingOptions options;
  options.steps = recipe.epochs * batches.steps_per_epoch();
  options.learning_rate = recipe.learning_rate;
  options.schedule.kind = ScheduleKind::kCosine;
  options.report_every = batches.steps_per_epoch();
  options.checkpoint = context.checkpoint;

  const auto validation_metrics = [&] {
    Metrics metrics;
    if (!parts.validation_x.defined()) return metrics;
    const torch::Tensor logits = Logits(*network, parts.validation_x);
    for (const auto& [name, value] : validate(logits, parts.validation_y)) {
      metrics["validation_" + name] = value;
    }
    return metrics;
  };

  TrainingHooks hooks;
  hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
    LabelledImages batch = parts.train.Select(batches.At(step));
    batch.images = ShiftRandomly(batch.images, recipe.shift, random);
    torch::Tensor x = FlatPixels(batch).to(device);
    const torch::Tensor y = batch.labels.to(device);
    if (recipe.adversarial.epsilon > 0.0) {
      x = adversary.Attack(*network, x, y,
                           adversary.Radius(step, options.steps));
    }
    return PenalisedLossOf(recipe, *network, x, y, random);
  };
  hooks.report = [&](int64_t step) -> absl::StatusOr<Metrics> {
    EvaluateAllButConstraints(*network);
    Metrics metrics = validation_metrics();
    metrics["epoch"] = static_cast<double>(step / batches.steps_per_epoch());
    if (probes.epoch) {
      const EvaluationMode evaluation(*network);
      LIPSCHITZ_ASSIGN_OR_RETURN(const Metrics seen, probes.epoch(*network));
      metrics.insert(seen.begin(), seen.end());
    }
    return metrics;
  };
  if (probes.as_trained) {
    hooks.before_finish = [&] {
      return MeasureAsTrained(*network, norm, data.test, device,
                              &result.as_trained.emplace());
    };
  }
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      result.training, Train(*network, *optimizer, random, options, hooks));
  network->eval();
  result.validation = validation_metrics();
  return result;
}

}  // namespace lipschitz::experiments
