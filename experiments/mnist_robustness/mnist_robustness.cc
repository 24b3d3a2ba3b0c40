#include "experiments/mnist_robustness/mnist_robustness.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiments/common/image_data.h"
#include "experiments/mnist_robustness/report.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/losses/margin.h"
#include "lipschitz/optim/optimizer.h"

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

struct Steps {
  OptimizerKind optimizer = OptimizerKind::kAdam;
  double learning_rate = 0.0;
};

// What a preset sets. Chosen on validation images: README.md says how.
struct Sizes {
  std::vector<int64_t> hidden;
  int64_t epochs = 0;
  int64_t batch_size = 256;
  // Of the models without a constraint.
  double free_learning_rate = 3e-3;
  // Of the l2 models with orthonormal weights.
  Steps steps = {OptimizerKind::kMuon, 0.05};
  // Singular values that may shrink do so with larger steps.
  double spectral_learning_rate = 0.01;
  // Of the model that is compared with the published FC-3.
  double anchor_offset = 2.2;
  double anchor_temperature = 8.0;
  int64_t anchor_epochs = 0;
  // Of the model with the largest radii.
  Steps far_steps = {OptimizerKind::kMuon, 0.05};
  int64_t far_batch_size = 256;
  int64_t far_epochs = 0;

  // Deeper networks of rows in the L1 ball train worse.
  std::vector<int64_t> linf_hidden;
  int64_t linf_epochs = 0;
  int64_t linf_group = 16;
  double linf_offset = 0.2;
  int64_t linf_batch_size = 256;
  double linf_learning_rate = 3e-3;

  RobustnessOptions evaluation;
};

Sizes SizesOf(Preset preset, Norm norm) {
  Sizes sizes;
  sizes.evaluation.norm = norm;
  sizes.evaluation.epsilons = Epsilons(norm);
  switch (preset) {
    case Preset::kSmoke:
      sizes.hidden = {32};
      sizes.linf_hidden = {32};
      sizes.epochs = 1;
      sizes.anchor_epochs = 1;
      sizes.far_epochs = 1;
      sizes.linf_epochs = 1;
      sizes.evaluation.images = 200;
      sizes.evaluation.attacked_images = 50;
      sizes.evaluation.pgd_steps = 5;
      sizes.evaluation.auto_pgd_steps = 5;
      sizes.evaluation.gate_steps = 3;
      break;
    case Preset::kQuick:
      sizes.hidden = {256, 256, 256};
      sizes.linf_hidden = {512};
      sizes.epochs = 3;
      sizes.anchor_epochs = 3;
      sizes.far_epochs = 3;
      sizes.linf_epochs = 3;
      sizes.evaluation.attacked_images = 500;
      sizes.evaluation.pgd_steps = 20;
      sizes.evaluation.auto_pgd_steps = 20;
      sizes.evaluation.gate_steps = 5;
      break;
    case Preset::kPaper:
      sizes.hidden = {1024, 1024, 1024};
      sizes.linf_hidden = {2048};
      sizes.epochs = 5;
      sizes.batch_size = 512;
      sizes.free_learning_rate = 1e-3;
      sizes.anchor_offset = 1.9;
      sizes.anchor_temperature = 16.0;
      sizes.anchor_epochs = 12;
      sizes.far_steps = {OptimizerKind::kAdam, 1e-2};
      sizes.far_batch_size = 512;
      sizes.far_epochs = 15;
      sizes.linf_epochs = 15;
      sizes.linf_group = 32;
      sizes.linf_offset = 0.23;
      sizes.linf_batch_size = 128;
      sizes.linf_learning_rate = 5e-4;
      sizes.evaluation.attacked_images = 1000;
      sizes.evaluation.pgd_steps = 100;
      sizes.evaluation.auto_pgd_steps = 50;
      break;
  }
  return sizes;
}

RobustModel Model(const std::string& name, const Sizes& sizes,
                  ConstraintKind constraint, const ActivationSpec& activation) {
  RobustModel model;
  model.name = name;
  model.recipe.mlp().hidden = sizes.hidden;
  model.recipe.mlp().activation = activation;
  model.recipe.mlp().constraint.kind = constraint;
  model.recipe.epochs = sizes.epochs;
  model.recipe.batch_size = sizes.batch_size;
  return model;
}

// With the cross-entropy of offset logits.
RobustModel OffsetModel(const std::string& name, const Sizes& sizes,
                        ConstraintKind constraint,
                        const ActivationSpec& activation, double offset,
                        double temperature, const Steps& steps) {
  RobustModel model = Model(name, sizes, constraint, activation);
  model.recipe.offset = offset;
  model.recipe.temperature = temperature;
  model.recipe.optimizer = steps.optimizer;
  model.recipe.learning_rate = steps.learning_rate;
  return model;
}

// Without any constraint, against which the others are measured.
std::vector<RobustModel> FreeModels(const Sizes& sizes, Norm norm) {
  std::vector<RobustModel> models = {
      Model("none_relu", sizes, ConstraintKind::kNone, ActivationSpec::Relu()),
      Model("none_maxmin", sizes, ConstraintKind::kNone,
            ActivationSpec::MaxMin()),
      Model("none_relu_pgd", sizes, ConstraintKind::kNone,
            ActivationSpec::Relu())};
  for (RobustModel& model : models) {
    model.recipe.learning_rate = sizes.free_learning_rate;
  }
  models[2].recipe.adversarial.norm = norm;
  models[2].recipe.adversarial.epsilon = norm == Norm::kL2 ? 1.58 : 0.1;
  return models;
}

std::vector<RobustModel> L2Models(const Sizes& sizes) {
  const auto make = [&](const std::string& name, ConstraintKind constraint,
                        const ActivationSpec& activation) {
    return OffsetModel(name, sizes, constraint, activation, /*offset=*/2.2,
                       /*temperature=*/8.0, sizes.steps);
  };
  const auto stiefel = ConstraintKind::kStiefel;
  const ActivationSpec maxmin = ActivationSpec::MaxMin();

  RobustModel anchor =
      OffsetModel("stiefel_maxmin", sizes, stiefel, maxmin, sizes.anchor_offset,
                  sizes.anchor_temperature, sizes.steps);
  anchor.recipe.epochs = sizes.anchor_epochs;
  // More of the radius for some of the clean accuracy.
  RobustModel far =
      OffsetModel("stiefel_maxmin_far", sizes, stiefel, maxmin,
                  /*offset=*/3.0, /*temperature=*/4.0, sizes.far_steps);
  far.recipe.batch_size = sizes.far_batch_size;
  far.recipe.epochs = sizes.far_epochs;
  // The published recipe's loss: the hinge with the margin 1.5 √2.
  RobustModel hinge = make("stiefel_maxmin_hinge", stiefel, maxmin);
  hinge.recipe.loss = ClassifierLoss::kMargin;
  hinge.recipe.margin = 1.5 * std::sqrt(2.0);
  hinge.recipe.offset = 0.0;
  hinge.recipe.temperature = 1.0;
  RobustModel spectral =
      make("spectral_maxmin", ConstraintKind::kSpectral, maxmin);
  spectral.recipe.learning_rate = sizes.spectral_learning_rate;
  return {anchor,
          make("stiefel_groupsort4", stiefel, ActivationSpec::GroupSort(4)),
          make("stiefel_relu", stiefel, ActivationSpec::Relu()),
          spectral,
          make("parseval_maxmin", ConstraintKind::kParseval, maxmin),
          far,
          hinge};
}

std::vector<RobustModel> LinfModels(const Sizes& sizes) {
  const auto make = [&](const std::string& name, ConstraintKind constraint,
                        const ActivationSpec& activation) {
    RobustModel model =
        OffsetModel(absl::StrCat(name, activation.Name()), sizes, constraint,
                    activation, sizes.linf_offset, /*temperature=*/20.0,
                    {OptimizerKind::kAdam, sizes.linf_learning_rate});
    model.recipe.epochs = sizes.linf_epochs;
    model.recipe.mlp().hidden = sizes.linf_hidden;
    model.recipe.batch_size = sizes.linf_batch_size;
    return model;
  };
  const auto rows = ConstraintKind::kLinfRows;
  const ActivationSpec best = ActivationSpec::GroupSort(sizes.linf_group);
  return {make("linf_rows_", rows, best),
          make("linf_rows_", rows, ActivationSpec::GroupSort(4)),
          make("linf_rows_", rows, ActivationSpec::MaxMin()),
          make("linf_rows_", rows, ActivationSpec::Relu()),
          make("linf_", ConstraintKind::kLinfProjection, best)};
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

Json VariantOf(const RobustModel& model, Norm norm) {
  const ClassifierRecipe& recipe = model.recipe;
  Json variant = {{"norm", NormName(norm)},
                  {"model", model.name},
                  {"constraint", ConstraintName(recipe.mlp().constraint.kind)},
                  {"activation", recipe.mlp().activation.Name()},
                  {"training", TrainingName(recipe)}};
  if (recipe.loss == ClassifierLoss::kMargin) variant["margin"] = recipe.margin;
  if (recipe.offset > 0.0) variant["offset"] = recipe.offset;
  variant["hidden"] = absl::StrJoin(recipe.mlp().hidden, "-");
  return variant;
}

Json ConfigOf(const RobustModel& model, const RobustnessOptions& evaluation,
              const std::string& dataset) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config.update(model.recipe.ToJson());
  config["evaluation"] = evaluation.ToJson();
  return config;
}

RobustModel Customised(RobustModel model, const RobustnessSettings& settings) {
  ClassifierRecipe& recipe = model.recipe;
  recipe = settings.changes.AppliedTo(recipe);
  recipe.mlp().hidden = settings.hidden.value_or(recipe.mlp().hidden);
  recipe.mlp().activation =
      settings.activation.value_or(recipe.mlp().activation);
  recipe.margin = settings.margin.value_or(recipe.margin);
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
    outcome.history = trained.training.history;
    outcome.seconds = trained.training.seconds;
    return outcome;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      RobustnessResult result,
      EvaluateRobustness(trained.network, data.test, evaluation, context.seed,
                         context.model_path + ".counterexample.json"));
  outcome.metrics = result.metrics;
  outcome.curves = result.curves;
  outcome.lipschitz = result.lipschitz;
  outcome.history = trained.training.history;
  outcome.seconds = trained.training.seconds;
  outcome.verdict = result.verdict;
  return outcome;
}

}  // namespace

std::vector<RobustModel> RobustModels(Preset preset, Norm norm) {
  const Sizes sizes = SizesOf(preset, norm);
  std::vector<RobustModel> models =
      norm == Norm::kL2 ? L2Models(sizes) : LinfModels(sizes);
  for (RobustModel& model : FreeModels(sizes, norm)) {
    models.push_back(std::move(model));
  }
  return models;
}

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
  for (const Norm norm : settings_.norms) {
    const Sizes sizes = SizesOf(common.preset, norm);
    for (const RobustModel& standard : RobustModels(common.preset, norm)) {
      if (!settings_.models.empty() &&
          std::count(settings_.models.begin(), settings_.models.end(),
                     standard.name) == 0) {
        continue;
      }
      const RobustModel model = Customised(standard, settings_);
      LIPSCHITZ_RETURN_IF_ERROR(model.recipe.Validate());
      Run run;
      run.variant = VariantOf(model, norm);
      run.dataset = data->name;
      run.label =
          absl::StrCat(data->name, " ", NormName(norm), " ", model.name);
      run.config = ConfigOf(model, sizes.evaluation, data->name);
      run.slug = MakeSlug(
          absl::StrCat(data->name, "-", NormName(norm), "-", model.name),
          common.preset, ConfigOf(standard, sizes.evaluation, data->name),
          &run.config);
      run.execute = [model, evaluation = sizes.evaluation, data,
                     first = runs.empty()](const RunContext& context) {
        if (first) AnnounceNotes(*data, context);
        return TrainAndEvaluate(model, evaluation, *data, context);
      };
      runs.push_back(std::move(run));
    }
  }
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
