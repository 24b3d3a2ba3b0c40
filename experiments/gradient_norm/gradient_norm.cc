#include "experiments/gradient_norm/gradient_norm.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "experiments/common/classifier_training.h"
#include "experiments/common/image_data.h"
#include "experiments/gradient_norm/report.h"
#include "experiments/gradient_norm/runs.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 2;

constexpr char kCritic[] = "critic";
constexpr char kClassifier[] = "classifier";

struct Sizes {
  std::vector<int64_t> depths;
  std::vector<std::string> constraints;
  int64_t critic_width = 0;
  int64_t classifier_width = 0;
  int64_t dimension = 0;  // of the critic's input

  int64_t critic_steps = 0;
  int64_t critic_test_samples = 10000;
  int64_t train_images = 0;  // 0: all
  int64_t test_images = 0;
  int64_t epochs = 0;
  int64_t batch_size = 128;
  double classifier_rate = 3e-3;

  MeasurementSizes measurement;
};

Sizes SizesOf(Preset preset) {
  Sizes sizes;
  sizes.constraints = {"stiefel"};
  switch (preset) {
    case Preset::kSmoke:
      sizes.depths = {3, 15};
      sizes.critic_width = 16;
      sizes.classifier_width = 16;
      sizes.dimension = 4;
      sizes.critic_steps = 40;
      sizes.critic_test_samples = 300;
      sizes.train_images = 500;
      sizes.test_images = 100;
      sizes.epochs = 2;
      sizes.batch_size = 50;
      sizes.measurement.points = 64;
      sizes.measurement.bound_points = 8;
      sizes.measurement.bound_steps = 3;
      break;
    case Preset::kQuick:
      sizes.depths = {3, 7, 15};
      sizes.critic_width = 64;
      sizes.classifier_width = 64;
      sizes.dimension = 16;
      sizes.critic_steps = 1000;
      sizes.train_images = 20000;
      sizes.epochs = 5;
      break;
    case Preset::kPaper:
      sizes.depths = {3, 7, 15, 30};
      sizes.constraints = {"stiefel", "bjorck"};
      sizes.critic_width = 512;
      // The first layer of the classifier widens its input too.
      sizes.classifier_width = 1024;
      sizes.dimension = 128;
      sizes.critic_steps = 3000;
      sizes.epochs = 10;
      sizes.classifier_rate = 1e-3;
      sizes.measurement.points = 1000;
      break;
  }
  return sizes;
}

MlpConfig NetworkOf(int64_t depth, int64_t width,
                    const ActivationSpec& activation,
                    ConstraintKind constraint) {
  MlpConfig network;
  network.hidden.assign(depth, width);
  network.activation = activation;
  network.constraint.kind = constraint;
  return network;
}

WassersteinConfig CriticConfig(const Sizes& sizes, const MlpConfig& network) {
  WassersteinConfig config;
  config.network = network;
  config.steps = sizes.critic_steps;
  config.batch_size = sizes.batch_size;
  config.test_samples = sizes.critic_test_samples;
  return config;
}

ClassifierRecipe RecipeOf(const Sizes& sizes, const MlpConfig& network) {
  ClassifierRecipe recipe;
  recipe.network = network;
  recipe.offset = 1.0;
  recipe.temperature = 8.0;
  recipe.epochs = sizes.epochs;
  recipe.batch_size = sizes.batch_size;
  recipe.learning_rate = sizes.classifier_rate;
  return recipe;
}

Json CriticJson(const Sizes& sizes, const WassersteinConfig& config) {
  return {{"dimension", sizes.dimension},
          {"hidden", config.mlp().hidden},
          {"activation", config.mlp().activation.Name()},
          {"constraint", ConstraintName(config.mlp().constraint.kind)},
          {"steps", config.steps},
          {"batch_size", config.batch_size},
          {"optimizer", OptimizerName(config.optimizer)},
          {"learning_rate", config.learning_rate},
          {"test_samples", config.test_samples}};
}

bool IsAsked(const std::vector<std::string>& asked, const std::string& name) {
  return asked.empty() ||
         std::find(asked.begin(), asked.end(), name) != asked.end();
}

// Everything that tells one run from the others.
struct Variant {
  std::string task;
  std::string constraint;
  std::string activation;
  int64_t depth = 0;
};

absl::StatusOr<Run> MakeRun(const Variant& variant, const Sizes& sizes,
                            std::shared_ptr<const ImageDataset> data,
                            const std::optional<int64_t>& width) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const ActivationSpec activation,
                             ParseActivation(variant.activation));
  LIPSCHITZ_ASSIGN_OR_RETURN(const ConstraintKind constraint,
                             ParseConstraint(variant.constraint));
  const bool is_critic = variant.task == kCritic;
  const auto network = [&](int64_t hidden) {
    return NetworkOf(variant.depth, hidden, activation, constraint);
  };
  const int64_t standard =
      is_critic ? sizes.critic_width : sizes.classifier_width;
  MlpConfig chosen = network(width.value_or(standard));
  chosen.input_dim = is_critic ? sizes.dimension : data->pixels();
  LIPSCHITZ_RETURN_IF_ERROR(chosen.Validate());
  const auto config_of = [&](const MlpConfig& mlp) {
    Json config = {{"version", kVersion}, {"task", variant.task}};
    if (is_critic) {
      config.update(CriticJson(sizes, CriticConfig(sizes, mlp)));
    } else {
      config["dataset"] = data->name;
      config.update(RecipeOf(sizes, mlp).ToJson());
      config["train_images"] = sizes.train_images;
      config["test_images"] = sizes.test_images;
    }
    config["measurement"] = sizes.measurement.ToJson();
    return config;
  };
  Run run;
  run.variant = {{"task", variant.task},
                 {"constraint", variant.constraint},
                 {"activation", variant.activation},
                 {"hidden_layers", variant.depth}};
  run.label = absl::StrCat(variant.task, " ", variant.depth, "x ",
                           variant.constraint, " ", variant.activation);
  run.config = config_of(chosen);
  run.dataset = is_critic ? "" : data->name;
  if (is_critic) {
    run.execute = [sizes, config = CriticConfig(sizes, chosen)](
                      const RunContext& context) {
      return RunCritic(sizes.dimension, config, sizes.measurement, context);
    };
  } else {
    run.notes = data->notes;
    run.execute = [sizes, recipe = RecipeOf(sizes, chosen),
                   data](const RunContext& context) {
      ImageDataset part = *data;
      part.train = FirstImages(data->train, sizes.train_images);
      part.test = FirstImages(data->test, sizes.test_images);
      return RunClassifier(recipe, part, sizes.measurement, context);
    };
  }
  // As in the preset; see MakeSlug.
  run.slug = absl::StrCat(variant.task, is_critic ? "" : "-",
                          is_critic ? "" : data->name, "-", variant.depth, "x-",
                          variant.constraint, "-", variant.activation);
  return run;
}

}  // namespace

absl::StatusOr<std::vector<Run>> GradientNormExperiment::Plan(
    const CommonSettings& common) const {
  const Sizes sizes = SizesOf(common.preset);
  const std::vector<std::string> tasks = {kCritic, kClassifier};
  const std::vector<std::string> activations = {"relu", "maxmin", "groupsort4",
                                                "fullsort", "abs"};
  LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown("task", settings_.tasks, tasks));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("activation", settings_.activations, activations));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("constraint", settings_.constraints, {"stiefel", "bjorck"}));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<Run> runs;
  for (const std::string& task : tasks) {
    for (const std::string& constraint : settings_.constraints.empty()
                                             ? sizes.constraints
                                             : settings_.constraints) {
      for (const int64_t depth :
           settings_.depths.empty() ? sizes.depths : settings_.depths) {
        if (depth < 1) {
          return absl::InvalidArgumentError(absl::StrCat(
              "depths must be at least 1 hidden layer, got ", depth));
        }
        for (const std::string& activation : activations) {
          if (!IsAsked(settings_.tasks, task) ||
              !IsAsked(settings_.activations, activation)) {
            continue;
          }
          const Variant variant = {task, constraint, activation, depth};
          LIPSCHITZ_ASSIGN_OR_RETURN(
              Run run, MakeRun(variant, sizes, data, settings_.width));
          LIPSCHITZ_ASSIGN_OR_RETURN(
              const Run standard, MakeRun(variant, sizes, data, std::nullopt));
          run.slug =
              MakeSlug(run.slug, common.preset, standard.config, &run.config);
          runs.push_back(std::move(run));
        }
      }
    }
  }
  return runs;
}

Table GradientNormExperiment::MakeTable(
    const std::vector<Record>& records) const {
  return GradientNormTable(records);
}

absl::Status GradientNormExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  return WriteGradientNormReport(results_dir, stem, records);
}

}  // namespace lipschitz::experiments
