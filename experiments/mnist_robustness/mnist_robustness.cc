#include "experiments/mnist_robustness/mnist_robustness.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiments/common/image_data.h"
#include "experiments/mnist_robustness/models.h"
#include "experiments/mnist_robustness/report.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/losses/margin.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

// Two logits of a network with K = 1 differ by margin m at least within m / √2
// (l2) or m / 2 (linf).
double DifferenceConstant(Norm norm) {
  return norm == Norm::kL2 ? std::sqrt(2.0) : 2.0;
}

// Radii at which settings are compared on validation images.
std::vector<double> ValidationRadii(Norm norm) {
  return norm == Norm::kL2 ? std::vector<double>{0.3, 1.58}
                           : std::vector<double>{0.1, 0.3};
}

std::vector<double> Epsilons(Norm norm) {
  if (norm == Norm::kL2) {
    return {0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.25, 1.58, 2.0};
  }
  return {0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4};
}

RobustnessOptions EvaluationOf(Preset preset, Norm norm) {
  RobustnessOptions evaluation;
  evaluation.norm = norm;
  evaluation.epsilons = Epsilons(norm);
  switch (preset) {
    case Preset::kSmoke:
      evaluation.images = 200;
      evaluation.attacked_images = 50;
      evaluation.pgd_steps = 5;
      evaluation.auto_pgd_steps = 5;
      evaluation.gate_steps = 3;
      break;
    case Preset::kQuick:
      evaluation.attacked_images = 500;
      evaluation.pgd_steps = 20;
      evaluation.auto_pgd_steps = 20;
      evaluation.gate_steps = 5;
      break;
    case Preset::kPaper:
      evaluation.attacked_images = 1000;
      evaluation.pgd_steps = 100;
      evaluation.auto_pgd_steps = 50;
      break;
  }
  return evaluation;
}

Metrics Validate(Norm norm, const torch::Tensor& logits,
                 const torch::Tensor& labels) {
  Metrics metrics = AccuracyOf(logits, labels);
  const torch::Tensor radii =
      LogitMargins(logits, labels) / DifferenceConstant(norm);
  for (const double radius : ValidationRadii(norm)) {
    metrics[MetricAt("certified", radius)] =
        (radii >= radius).to(torch::kDouble).mean().item<double>();
  }
  return metrics;
}

std::string TrainingName(const ClassifierRecipe& recipe) {
  if (recipe.adversarial.epsilon > 0.0) return "pgd";
  if (recipe.loss == ClassifierLoss::kMargin) return "margin";
  return recipe.offset > 0.0 ? "offset" : "cross_entropy";
}

// What tells a network apart in tables.
struct NetworkSummary {
  std::string constraint;
  std::string activation;
  // Widths of the hidden layers; channels of the convolutions first.
  std::string hidden;
};

NetworkSummary SummaryOf(const NetworkConfig& network) {
  if (const auto* conv = std::get_if<ConvNetConfig>(&network)) {
    std::vector<int64_t> channels;
    for (const ConvStage& stage : conv->stages) {
      channels.push_back(stage.channels);
    }
    return {ConvolutionConstraintName(conv->convolution.kind),
            conv->activation.Name(),
            absl::StrCat("conv ", absl::StrJoin(channels, "-"), ", ",
                         absl::StrJoin(conv->hidden, "-"))};
  }
  const MlpConfig& mlp = std::get<MlpConfig>(network);
  return {ConstraintName(mlp.constraint.kind), mlp.activation.Name(),
          absl::StrJoin(mlp.hidden, "-")};
}

Json VariantOf(const RobustModel& model, Norm norm) {
  const ClassifierRecipe& recipe = model.recipe;
  const NetworkSummary network = SummaryOf(recipe.network);
  Json variant = {{"norm", NormName(norm)},
                  {"model", model.name},
                  {"constraint", network.constraint},
                  {"activation", network.activation},
                  {"training", TrainingName(recipe)}};
  if (recipe.loss == ClassifierLoss::kMargin) variant["margin"] = recipe.margin;
  if (recipe.offset > 0.0) variant["offset"] = recipe.offset;
  variant["hidden"] = network.hidden;
  return variant;
}

Json ConfigOf(const RobustModel& model, const RobustnessOptions& evaluation,
              const std::string& dataset) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config.update(model.recipe.ToJson());
  config["evaluation"] = evaluation.ToJson();
  return config;
}

absl::StatusOr<RobustModel> Customised(RobustModel model,
                                       const RobustnessSettings& settings) {
  ClassifierRecipe& recipe = model.recipe;
  recipe = settings.changes.AppliedTo(recipe);
  if (auto* conv = std::get_if<ConvNetConfig>(&recipe.network)) {
    if (settings.hidden.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the widths of ", model.name,
          ", a convolutional network, are fixed; choose others with --model, "
          "or leave --hidden out"));
    }
    conv->activation = settings.activation.value_or(conv->activation);
    return model;
  }
  recipe.mlp().hidden = settings.hidden.value_or(recipe.mlp().hidden);
  recipe.mlp().activation =
      settings.activation.value_or(recipe.mlp().activation);
  return model;
}

absl::StatusOr<RunOutcome> TrainAndEvaluate(const RobustModel& model,
                                            const RobustnessOptions& evaluation,
                                            const ImageDataset& data,
                                            const RunContext& context) {
  const Norm norm = evaluation.norm;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(
          model.recipe, norm, data,
          [norm](const torch::Tensor& logits, const torch::Tensor& labels) {
            return Validate(norm, logits, labels);
          },
          context));
  LIPSCHITZ_RETURN_IF_ERROR(SaveClassifier(
      context.model_path, "mnist_robustness", model.name, norm, data, trained));

  RunOutcome outcome;
  outcome.metrics = trained.validation;
  if (model.recipe.held_out > 0) {
    // A comparison of settings, which must not see the test set.
    outcome.SetTraining(trained.training);
    return outcome;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      RobustnessResult result,
      EvaluateRobustness(trained.network, data.test, evaluation, context.seed,
                         context.model_path + ".counterexample.json",
                         context.stop_requested));
  outcome.metrics = result.metrics;
  outcome.curves = result.curves;
  outcome.lipschitz = result.lipschitz;
  outcome.SetTraining(trained.training);
  outcome.verdict = result.verdict;
  return outcome;
}

}  // namespace

absl::StatusOr<std::vector<Run>> MnistRobustnessExperiment::Plan(
    const CommonSettings& common) const {
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<std::string> known;
  for (const Norm norm : settings_.norms) {
    for (const RobustModel& model : RobustModels(common.preset, norm)) {
      known.push_back(model.name);
    }
  }
  LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown("model", settings_.models, known));
  std::vector<Run> runs;
  std::vector<ClassifierRecipe> recipes;
  for (const Norm norm : settings_.norms) {
    const RobustnessOptions evaluation = EvaluationOf(common.preset, norm);
    for (const RobustModel& standard : RobustModels(common.preset, norm)) {
      if (!settings_.models.empty() &&
          std::count(settings_.models.begin(), settings_.models.end(),
                     standard.name) == 0) {
        continue;
      }
      LIPSCHITZ_ASSIGN_OR_RETURN(const RobustModel model,
                                 Customised(standard, settings_));
      LIPSCHITZ_RETURN_IF_ERROR(model.recipe.Validate(*data));
      recipes.push_back(model.recipe);
      Run run;
      run.variant = VariantOf(model, norm);
      run.dataset = data->name;
      run.notes = data->notes;
      run.label =
          absl::StrCat(data->name, " ", NormName(norm), " ", model.name);
      run.config = ConfigOf(model, evaluation, data->name);
      run.slug = MakeSlug(
          absl::StrCat(data->name, "-", NormName(norm), "-", model.name),
          common.preset, ConfigOf(standard, evaluation, data->name),
          &run.config);
      run.execute = [model, evaluation, data](const RunContext& context) {
        return TrainAndEvaluate(model, evaluation, *data, context);
      };
      runs.push_back(std::move(run));
    }
  }
  LIPSCHITZ_RETURN_IF_ERROR(settings_.changes.ExpectUse(recipes));
  return runs;
}

Table MnistRobustnessExperiment::MakeTable(
    const std::vector<Record>& records) const {
  return RobustnessTable(records);
}

absl::Status MnistRobustnessExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  return WriteRobustnessReport(results_dir, stem, records);
}

std::optional<std::string> MnistRobustnessExperiment::MetricFor(
    const Anchor& anchor, const Record& record) const {
  // Of the models that prove anything.
  if (record.dataset != anchor.dataset ||
      record.variant.value("norm", "") != anchor.norm ||
      record.variant.value("constraint", "") == "none") {
    return std::nullopt;
  }
  if (anchor.metric == "accuracy") return "test_accuracy";
  const double radius = anchor.radius.value_or(0.0);
  if (anchor.metric == "certified_accuracy") {
    return MetricAt("certified", radius);
  }
  if (anchor.metric == "pgd_accuracy") return MetricAt("pgd", radius);
  if (anchor.metric == "fgsm_accuracy") return MetricAt("fgsm", radius);
  return std::nullopt;
}

}  // namespace lipschitz::experiments
