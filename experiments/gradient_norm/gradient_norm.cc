#include "experiments/gradient_norm/gradient_norm.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/classifier_training.h"
#include "experiments/common/image_data.h"
#include "experiments/gradient_norm/flow.h"
#include "experiments/gradient_norm/report.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

constexpr uint64_t kPointStream = 31;

// A sphere around a point has the distance 1 from it.
constexpr double kExactDistance = 1.0;
constexpr double kEstimateAllowance = 1e-6;

// By how much the norm of a gradient may change, from the output to any layer,
// where all layers between keep it.
constexpr double kKeepingAllowance = 1e-4;

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

  // At which gradients are measured.
  int64_t points = 256;
  // From which the lower bounds start, and their steps.
  int64_t bound_points = 32;
  int bound_steps = 20;
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
      sizes.points = 64;
      sizes.bound_points = 8;
      sizes.bound_steps = 3;
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
      sizes.points = 1000;
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

Json MeasurementJson(const Sizes& sizes) {
  return {{"points", sizes.points},
          {"bound_points", sizes.bound_points},
          {"bound_steps", sizes.bound_steps}};
}

// Of the input gradient at the start: that of a unit vector in the space of the
// hidden layer, independent of the layer's d columns, on their span. Its square
// has the mean d / width.
double ExpectedInputGradient(int64_t inputs, int64_t width) {
  return std::sqrt(
      std::min(1.0, static_cast<double>(inputs) / static_cast<double>(width)));
}

struct Measured {
  GradientFlow initial;
  GradientFlow trained;
  LipschitzTightness tightness;
};

absl::StatusOr<LipschitzTightness> TightnessOf(SequentialImpl& network,
                                               const torch::Tensor& x,
                                               const Sizes& sizes,
                                               uint64_t seed) {
  LowerBoundOptions options;
  options.steps = sizes.bound_steps;
  options.seed = seed;
  return MeasureTightness(
      network, x.narrow(0, 0, std::min(sizes.bound_points, x.size(0))),
      options);
}

void AddFlow(const std::string& when, const GradientFlow& flow,
             RunOutcome* outcome) {
  const torch::Tensor values = flow.singular_values.flatten();
  outcome->metrics["input_gradient_" + when] = flow.layers[0].mean;
  // Behind the first layer: what a widening one costs is not in it.
  outcome->metrics["hidden_gradient_" + when] = flow.layers[1].mean;
  outcome->metrics["keeping_deviation_" + when] = flow.keeping_deviation;
  outcome->metrics["sigma_min_" + when] = values.min().item<double>();
  outcome->metrics["sigma_median_" + when] = values.median().item<double>();
  outcome->metrics["sigma_max_" + when] = values.max().item<double>();
  Json norms = {{"norm", "l2"},
                {"layer", Json::array()},
                {"mean", Json::array()},
                {"min", Json::array()},
                {"max", Json::array()}};
  for (const LayerGradient& layer : flow.layers) {
    norms["layer"].push_back(layer.layer);
    norms["mean"].push_back(layer.mean);
    norms["min"].push_back(layer.min);
    norms["max"].push_back(layer.max);
  }
  outcome->curves["gradient_norm_" + when] = norms;
  outcome->curves["jacobian_" + when] = HistogramOf(values);
}

absl::Status Verdict(const Measured& measured, const MlpConfig& network) {
  // Written so that a value that is not a number fails too. Björck's iteration
  // ends before its weights are orthonormal to this accuracy.
  if (network.constraint.kind == ConstraintKind::kStiefel) {
    for (const GradientFlow* flow : {&measured.initial, &measured.trained}) {
      if (!(flow->keeping_deviation <= kKeepingAllowance)) {
        return absl::FailedPreconditionError(absl::StrFormat(
            "the last %d layers keep the norm of gradients by construction, "
            "but it is off by %.3g",
            flow->keeping_layers, flow->keeping_deviation));
      }
    }
  }
  if (!(measured.tightness.tightness <= 1.0 + 1e-9)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "certificate broken: two points show the constant %.9g, the proven "
        "one is %.9g",
        measured.tightness.lower.value, measured.tightness.proven));
  }
  return absl::OkStatus();
}

RunOutcome OutcomeOf(const Measured& measured, const MlpConfig& network) {
  RunOutcome outcome;
  AddFlow("initial", measured.initial, &outcome);
  AddFlow("trained", measured.trained, &outcome);
  outcome.metrics["keeping_layers"] =
      static_cast<double>(measured.trained.keeping_layers);
  outcome.metrics["tightness"] = measured.tightness.tightness;
  outcome.lipschitz = LipschitzRecord{Norm::kL2, measured.tightness.proven,
                                      measured.tightness.lower.value};
  outcome.verdict = Verdict(measured, network);
  return outcome;
}

absl::StatusOr<RunOutcome> RunCritic(const Sizes& sizes,
                                     WassersteinConfig config,
                                     const RunContext& context) {
  config.seed = context.seed;
  config.device = context.device;
  config.checkpoint = context.checkpoint;
  const auto shell = [dim = sizes.dimension](double radius) -> Sampler {
    const SphericalShells shells{dim, radius, {0.0}};
    return [shells](int64_t n, const RandomSource& random) {
      return shells.Sample(n, random);
    };
  };
  // Between the sphere and its centre, where a perfect critic has the slope 1.
  const RandomSource random(StreamSeed(context.seed, kPointStream));
  const torch::Tensor points =
      (torch::rand({sizes.points, 1}, random.generator()) *
       shell(1.0)(sizes.points, random))
          .to(config.device);
  Measured measured;
  WassersteinHooks hooks;
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  hooks.initial = [&](SequentialImpl& critic) -> absl::Status {
    LIPSCHITZ_ASSIGN_OR_RETURN(measured.initial,
                               MeasureGradientFlow(critic, points, {}));
    return absl::OkStatus();
  };
  LIPSCHITZ_ASSIGN_OR_RETURN(
      WassersteinEstimate estimate,
      EstimateWasserstein(shell(1.0), shell(0.0), config, hooks));
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.trained,
                             MeasureGradientFlow(*estimate.critic, points, {}));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      measured.tightness,
      TightnessOf(*estimate.critic, points, sizes, context.seed));
  RunOutcome outcome = OutcomeOf(measured, config.mlp());
  const double value = estimate.estimate.value;
  outcome.metrics["score"] = value / kExactDistance;
  outcome.metrics["input_gradient_expected"] =
      ExpectedInputGradient(sizes.dimension, config.mlp().hidden[0]);
  outcome.history = estimate.training.history;
  outcome.seconds = estimate.training.seconds;
  if (!(value <= kExactDistance * (1.0 + kEstimateAllowance))) {
    outcome.verdict.Update(absl::FailedPreconditionError(absl::StrFormat(
        "certificate broken: the estimate %.9g is above the exact distance "
        "%.9g",
        value, kExactDistance)));
  }
  return outcome;
}

absl::StatusOr<RunOutcome> RunClassifier(const Sizes& sizes,
                                         const ClassifierRecipe& recipe,
                                         const ImageDataset& data,
                                         const RunContext& context) {
  const LabelledImages shown = FirstImages(data.test, sizes.points);
  const torch::Tensor points = FlatPixels(shown).to(context.device);
  const torch::Tensor labels = shown.labels.to(context.device);
  Measured measured;
  ClassifierProbes probes;
  probes.initial = [&](SequentialImpl& network) -> absl::Status {
    LIPSCHITZ_ASSIGN_OR_RETURN(measured.initial,
                               MeasureGradientFlow(network, points, labels));
    return absl::OkStatus();
  };
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(recipe, Norm::kL2, data, AccuracyOf, context, probes));
  SequentialImpl& network = *trained.network;
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.trained,
                             MeasureGradientFlow(network, points, labels));
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.tightness,
                             TightnessOf(network, points, sizes, context.seed));
  RunOutcome outcome = OutcomeOf(measured, recipe.mlp());
  outcome.metrics["score"] =
      AccuracyOf(Logits(network, FlatPixels(data.test).to(context.device)),
                 data.test.labels.to(context.device))
          .at("accuracy");
  outcome.metrics["input_gradient_expected"] =
      ExpectedInputGradient(data.pixels(), recipe.mlp().hidden[0]);
  outcome.history = trained.training.history;
  outcome.seconds = trained.training.seconds;
  return outcome;
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
    config["measurement"] = MeasurementJson(sizes);
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
      return RunCritic(sizes, config, context);
    };
  } else {
    run.execute = [sizes, recipe = RecipeOf(sizes, chosen),
                   data](const RunContext& context) {
      ImageDataset part = *data;
      part.train = FirstImages(data->train, sizes.train_images);
      part.test = FirstImages(data->test, sizes.test_images);
      return RunClassifier(sizes, recipe, part, context);
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
      ExpectKnown("constraint", settings_.constraints, sizes.constraints));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<Run> runs;
  bool first_of_images = true;
  for (const std::string& task : tasks) {
    for (const std::string& constraint : sizes.constraints) {
      for (const int64_t depth :
           settings_.depths.empty() ? sizes.depths : settings_.depths) {
        if (depth < 1) {
          return absl::InvalidArgumentError(absl::StrCat(
              "depths must be at least 1 hidden layer, got ", depth));
        }
        for (const std::string& activation : activations) {
          if (!IsAsked(settings_.tasks, task) ||
              !IsAsked(settings_.constraints, constraint) ||
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
          if (task == kClassifier && first_of_images) {
            first_of_images = false;
            run.execute = [data,
                           execute = run.execute](const RunContext& context) {
              AnnounceNotes(*data, context);
              return execute(context);
            };
          }
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
