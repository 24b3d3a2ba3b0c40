#include "experiments/mnist_classification/mnist_classification.h"

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiments/common/category_figure.h"
#include "experiments/common/cost.h"
#include "experiments/common/figure.h"
#include "experiments/common/image_data.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/optim/optimizer.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

// The authors' values for hidden units (Anil et al.'s code drops half).
constexpr double kDropout = 0.5;
constexpr double kJacobianPenalty = 0.01;

// A network with K = 1 is trained as one with the constant `temperature`: its
// logits cannot grow until the cross-entropy is small. All were chosen on
// validation images: README.md says how.
struct Tuning {
  OptimizerKind optimizer = OptimizerKind::kFastMuon;
  double learning_rate = 2e-2;
  double temperature = 8.0;
  int64_t batch_size = 256;
};

bool IsFree(const std::string& constraint) {
  return constraint == "none" || constraint == "dropout" ||
         constraint == "jacobian";
}

Tuning TuningOf(const std::string& constraint, Preset preset) {
  Tuning tuning;
  if (preset == Preset::kPaper) tuning.batch_size = 512;
  if (IsFree(constraint)) tuning.temperature = 1.0;
  // Muon's steps are those of the spectral norm.
  if (constraint.rfind("linf", 0) == 0) {
    tuning = {OptimizerKind::kAdam, 1e-3, 30.0, 128};
  }
  return tuning;
}

absl::StatusOr<ClassifierRecipe> RecipeOf(const std::string& constraint,
                                          const std::string& activation,
                                          Preset preset) {
  ClassifierRecipe recipe;
  switch (preset) {
    case Preset::kSmoke:
      recipe.mlp().hidden = {32};
      recipe.epochs = 1;
      break;
    case Preset::kQuick:
      recipe.mlp().hidden = {256, 256, 256};
      recipe.epochs = 1;
      break;
    case Preset::kPaper:
      recipe.mlp().hidden = {1024, 1024, 1024};
      recipe.epochs = 5;
      break;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(recipe.mlp().activation,
                             ParseActivation(activation));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      recipe.mlp().constraint.kind,
      ParseConstraint(IsFree(constraint) ? "none" : constraint));
  if (constraint == "dropout") recipe.mlp().dropout = kDropout;
  if (constraint == "jacobian") recipe.jacobian_penalty = kJacobianPenalty;
  const Tuning tuning = TuningOf(constraint, preset);
  recipe.optimizer = tuning.optimizer;
  recipe.learning_rate = tuning.learning_rate;
  recipe.batch_size = tuning.batch_size;
  recipe.temperature = tuning.temperature;
  return recipe;
}

// In linf for a constraint on its norm, else in l2.
Norm NormOf(const std::string& constraint) {
  return constraint.rfind("linf", 0) == 0 ? Norm::kLinf : Norm::kL2;
}

Json ConfigOf(const ClassifierRecipe& recipe, const std::string& dataset) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config.update(recipe.ToJson());
  return config;
}

absl::StatusOr<RunOutcome> TrainAndTest(const ClassifierRecipe& recipe,
                                        Norm norm, const ImageDataset& data,
                                        const RunContext& context) {
  ClassifierProbes probes;
  probes.as_trained = recipe.held_out == 0;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(recipe, norm, data, AccuracyOf, context, probes));
  RunOutcome outcome;
  outcome.SetTraining(trained.training);
  outcome.metrics = trained.validation;
  if (recipe.held_out > 0) return outcome;
  LIPSCHITZ_ASSIGN_OR_RETURN(const double bound,
                             trained.network->LipschitzBound(norm));
  const torch::Device device(context.device);
  const torch::Tensor logits =
      Logits(*trained.network, FlatPixels(data.test).to(device));
  const double accuracy =
      AccuracyOf(logits, data.test.labels.to(device)).at("accuracy");
  outcome.metrics["test_accuracy"] = accuracy;
  outcome.metrics["test_error"] = 1.0 - accuracy;
  outcome.metrics["test_accuracy_as_trained"] =
      trained.as_trained->test_accuracy;
  outcome.metrics["bound_as_trained"] = trained.as_trained->bound;
  outcome.lipschitz = LipschitzRecord{norm, bound, 0.0};
  return outcome;
}

}  // namespace

absl::StatusOr<std::vector<Run>> MnistClassificationExperiment::Plan(
    const CommonSettings& common) const {
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<Run> runs;
  for (const std::string& constraint : settings_.constraints) {
    for (const std::string& activation : settings_.activations) {
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const ClassifierRecipe standard,
          RecipeOf(constraint, activation, common.preset));
      const ClassifierRecipe recipe = settings_.changes.AppliedTo(standard);
      LIPSCHITZ_RETURN_IF_ERROR(recipe.Validate(*data));
      Run run;
      run.dataset = data->name;
      run.notes = data->notes;
      run.label = absl::StrCat(data->name, " ", constraint, " ", activation);
      run.variant = {{"constraint", constraint}, {"activation", activation}};
      run.config = ConfigOf(recipe, data->name);
      run.slug =
          MakeSlug(absl::StrCat(data->name, "-", constraint, "-", activation),
                   common.preset, ConfigOf(standard, data->name), &run.config);
      for (const Run& other : runs) {
        if (other.slug != run.slug) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("the variant '", run.label, "' is listed twice"));
      }
      run.execute = [recipe, norm = NormOf(constraint),
                     data](const RunContext& context) {
        return TrainAndTest(recipe, norm, *data, context);
      };
      runs.push_back(std::move(run));
    }
  }
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: --constraint and --activation each need at least one "
        "value");
  }
  return runs;
}

Table MnistClassificationExperiment::MakeTable(
    const std::vector<Record>& records) const {
  Table table;
  table.title = "Classification under every constraint";
  table.columns = {{"dataset"},
                   {"constraint"},
                   {"activation"},
                   {"test error", {4, true}, Better::kLower},
                   {"as trained", {4, false}},
                   {"K's norm"},
                   {"K", {4, false}},
                   {"K as trained", {4, false}}};
  AddCostColumns(1, &table);
  table.compared_within = 1;
  const std::vector<VariantRecords> groups = GroupByVariant(records);
  const auto add = [&](const VariantRecords& group) {
    std::vector<double> errors_as_trained;
    std::string dataset;
    for (const Record* record : group.ok) {
      dataset = record->dataset;
      const auto it = record->metrics.find("test_accuracy_as_trained");
      if (it != record->metrics.end()) {
        errors_as_trained.push_back(1.0 - it->second);
      }
    }
    const std::string constraint = group.variant.at("constraint");
    table.rows.push_back(
        {dataset, constraint, group.variant.at("activation").get<std::string>(),
         SummariseMetric(group, "test_error"), Summarise(errors_as_trained),
         NormName(NormOf(constraint)), SummariseUpperBound(group),
         SummariseMetric(group, "bound_as_trained")});
    AddCostCells(group, &table.rows.back());
  };
  // In the order of the grid; what a user added to it comes last.
  const ClassificationSettings grid;
  std::set<const VariantRecords*> added;
  for (const std::string& constraint : grid.constraints) {
    for (const std::string& activation : grid.activations) {
      for (const VariantRecords& group : groups) {
        if (group.variant.at("constraint") == constraint &&
            group.variant.at("activation") == activation) {
          add(group);
          added.insert(&group);
        }
      }
    }
  }
  for (const VariantRecords& group : groups) {
    if (added.count(&group) == 0) add(group);
  }
  table.notes = {absl::StrCat(
      "Test error of the finished network (weights polished, constraints as in "
      "evaluation) and as training left it; mean ± standard deviation over "
      "seeds. K: proven, of the network whose logits the class is read from. "
      "Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status MnistClassificationExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  std::map<std::string, std::vector<VariantRecords>> datasets;
  for (VariantRecords& group : GroupByVariant(records)) {
    datasets[group.config.value("dataset", "")].push_back(std::move(group));
  }
  Figure figure;
  figure.title = "Test error under every constraint";
  figure.legend_below = true;
  figure.panel_width = 720;
  for (const auto& [dataset, groups] : datasets) {
    CategoryPanel panel;
    panel.title = dataset;
    panel.metric = "test_error";
    panel.y = {"test error", 0.01, 1.0, true};
    figure.panels.push_back(DrawCategories(panel, groups));
  }
  if (figure.panels.empty()) return absl::OkStatus();
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
