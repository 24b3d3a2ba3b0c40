#include "experiments/activation_statistics/activation_statistics.h"

#include <torch/types.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "experiments/activation_statistics/activity.h"
#include "experiments/activation_statistics/report.h"
#include "experiments/common/classifier_training.h"
#include "experiments/common/image_data.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/activation_statistics.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/layers/constraint.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

constexpr char kFree[] = "free";

struct Sizes {
  std::vector<int64_t> hidden;
  std::vector<double> constants;
  int64_t train_images = 0;  // 0: all
  int64_t test_images = 0;
  // Of the test images, those at which Jacobians are taken.
  int64_t jacobian_images = 500;
  int64_t epochs = 0;
  int64_t batch_size = 128;
  double learning_rate = 3e-3;
};

Sizes SizesOf(Preset preset) {
  Sizes sizes;
  sizes.constants = {0.1, 1.0, 10.0, 100.0};
  switch (preset) {
    case Preset::kSmoke:
      sizes.hidden = {16, 16};
      sizes.constants = {0.1, 100.0};
      sizes.train_images = 500;
      sizes.test_images = 100;
      sizes.jacobian_images = 50;
      sizes.epochs = 3;
      sizes.batch_size = 50;
      break;
    case Preset::kQuick:
      sizes.hidden = {128, 128, 128};
      sizes.train_images = 20000;
      sizes.epochs = 4;
      break;
    case Preset::kPaper:
      sizes.hidden = {1024, 1024, 1024};
      sizes.constants = {0.01, 0.1, 1.0, 10.0, 100.0, 1000.0};
      sizes.epochs = 20;
      sizes.learning_rate = 1e-3;
      break;
  }
  return sizes;
}

// One of the constants, or none.
struct Limit {
  std::string name;
  std::optional<double> constant;
};

std::vector<Limit> LimitsOf(const Sizes& sizes) {
  std::vector<Limit> limits;
  for (const double constant : sizes.constants) {
    limits.push_back({absl::StrCat(constant), constant});
  }
  limits.push_back({kFree, std::nullopt});
  return limits;
}

ClassifierRecipe RecipeOf(const Sizes& sizes, const ActivationSpec& activation,
                          const Limit& limit) {
  ClassifierRecipe recipe;
  MlpConfig& network = recipe.mlp();
  network.hidden = sizes.hidden;
  network.activation = activation;
  network.constraint.kind = limit.constant.has_value()
                                ? ConstraintKind::kStiefel
                                : ConstraintKind::kNone;
  network.lipschitz_constant = limit.constant.value_or(1.0);
  recipe.epochs = sizes.epochs;
  recipe.batch_size = sizes.batch_size;
  recipe.learning_rate = sizes.learning_rate;
  return recipe;
}

Json ConfigOf(const ClassifierRecipe& recipe, const Limit& limit,
              const Sizes& sizes, const std::string& dataset) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config.update(recipe.ToJson());
  config["lipschitz_constant"] = limit.name;
  config["train_images"] = sizes.train_images;
  config["test_images"] = sizes.test_images;
  config["jacobian_images"] = sizes.jacobian_images;
  return config;
}

Json RatesOf(const std::vector<ActivationStatistics>& layers) {
  Json rates = {{"threshold", Thresholds()},
                {"undead", Json::array()},
                {"fixed", Json::array()}};
  for (const ActivationStatistics& layer : layers) {
    Json undead = Json::array();
    Json fixed = Json::array();
    for (const double threshold : Thresholds()) {
      undead.push_back(layer.UndeadRate(threshold));
      fixed.push_back(FixedRate(layer, threshold));
    }
    rates["undead"].push_back(undead);
    rates["fixed"].push_back(fixed);
  }
  return rates;
}

// Metrics with "_`when`" behind their names, and the rates as a curve.
absl::Status AddState(const std::string& when, SequentialImpl& network,
                      const torch::Tensor& images, int64_t jacobian_images,
                      RunOutcome* outcome) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto layers,
                             CollectActivationStatistics(network, images));
  for (const auto& [name, value] : ActivityOf(layers)) {
    outcome->metrics[absl::StrCat(name, "_", when)] = value;
  }
  outcome->curves[absl::StrCat("rates_", when)] = RatesOf(layers);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      outcome->metrics[absl::StrCat("jacobian_variation_", when)],
      JacobianVariation(
          network,
          images.narrow(0, 0, std::min(jacobian_images, images.size(0)))));
  return absl::OkStatus();
}

absl::StatusOr<RunOutcome> TrainAndCount(const ClassifierRecipe& recipe,
                                         const Sizes& sizes,
                                         const ImageDataset& data,
                                         const RunContext& context) {
  const torch::Tensor images = FlatPixels(data.test).to(context.device);
  const torch::Tensor labels = data.test.labels.to(context.device);
  RunOutcome outcome;
  ClassifierProbes probes;
  probes.initial = [&](SequentialImpl& network) {
    return AddState("initial", network, images, sizes.jacobian_images,
                    &outcome);
  };
  probes.epoch = [&](SequentialImpl& network) -> absl::StatusOr<Metrics> {
    LIPSCHITZ_ASSIGN_OR_RETURN(const auto layers,
                               CollectActivationStatistics(network, images));
    return ActivityOf(layers);
  };
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(recipe, Norm::kL2, data, AccuracyOf, context, probes));
  SequentialImpl& network = *trained.network;
  LIPSCHITZ_RETURN_IF_ERROR(
      AddState("trained", network, images, sizes.jacobian_images, &outcome));
  LIPSCHITZ_ASSIGN_OR_RETURN(const double bound,
                             network.LipschitzBound(Norm::kL2));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto gradients,
                             LayerGradients(network, images, labels));
  outcome.metrics["input_gradient_over_k"] = gradients[0].mean / bound;
  outcome.metrics["test_accuracy"] =
      AccuracyOf(Logits(network, images), labels).at("accuracy");
  // Attained up to the curvature between two points near each other.
  outcome.lipschitz = LipschitzRecord{Norm::kL2, bound, gradients[0].max};
  outcome.SetTraining(trained.training);
  return outcome;
}

bool IsAsked(const std::vector<std::string>& asked, const std::string& name) {
  return asked.empty() ||
         std::find(asked.begin(), asked.end(), name) != asked.end();
}

}  // namespace

absl::StatusOr<std::vector<Run>> ActivationStatisticsExperiment::Plan(
    const CommonSettings& common) const {
  const Sizes standard = SizesOf(common.preset);
  Sizes sizes = standard;
  sizes.epochs = settings_.epochs.value_or(sizes.epochs);
  sizes.learning_rate = settings_.learning_rate.value_or(sizes.learning_rate);
  const std::vector<std::string> activations = {"relu", "maxmin"};
  const std::vector<Limit> limits = LimitsOf(sizes);
  std::vector<std::string> constants;
  for (const Limit& limit : limits) constants.push_back(limit.name);
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("activation", settings_.activations, activations));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("constant", settings_.constants, constants));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<Run> runs;
  for (const std::string& name : activations) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const ActivationSpec activation,
                               ParseActivation(name));
    for (const Limit& limit : limits) {
      if (!IsAsked(settings_.activations, name) ||
          !IsAsked(settings_.constants, limit.name)) {
        continue;
      }
      const ClassifierRecipe recipe = RecipeOf(sizes, activation, limit);
      LIPSCHITZ_RETURN_IF_ERROR(recipe.Validate(*data));
      Run run;
      run.dataset = data->name;
      run.notes = data->notes;
      run.label = absl::StrCat(data->name, ", ", name, ", K = ", limit.name);
      run.variant = {
          {"activation", name},
          {"constraint", ConstraintName(recipe.mlp().constraint.kind)},
          {"lipschitz_constant", limit.name}};
      run.config = ConfigOf(recipe, limit, sizes, data->name);
      run.slug = MakeSlug(absl::StrCat(data->name, "-", name, "-k", limit.name),
                          common.preset,
                          ConfigOf(RecipeOf(standard, activation, limit), limit,
                                   standard, data->name),
                          &run.config);
      run.execute = [recipe, sizes, data](const RunContext& context) {
        ImageDataset part = *data;
        part.train = FirstImages(data->train, sizes.train_images);
        part.test = FirstImages(data->test, sizes.test_images);
        return TrainAndCount(recipe, sizes, part, context);
      };
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

Table ActivationStatisticsExperiment::MakeTable(
    const std::vector<Record>& records) const {
  return ActivationStatisticsTable(records);
}

absl::Status ActivationStatisticsExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  return WriteActivationStatisticsReport(results_dir, stem, records);
}

}  // namespace lipschitz::experiments
