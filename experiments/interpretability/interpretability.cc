#include "experiments/interpretability/interpretability.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "experiments/common/classifier_training.h"
#include "experiments/common/image_data.h"
#include "experiments/interpretability/gradients.h"
#include "experiments/interpretability/models.h"
#include "experiments/interpretability/report.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/rank_correlation.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

// Records of this seed keep the pictures.
constexpr uint64_t kPictureSeed = 0;

struct Sizes {
  int64_t train_images = 0;  // 0: all
  int64_t test_images = 0;
  // Of the test images, those whose gradients are compared with them, and those
  // that are turned into every other class.
  int64_t compared_images = 500;
  int64_t turned_images = 100;
  // Of the training images, those whose nearest one judges what a turned image
  // looks like.
  int64_t judging_images = 5000;
  TurningOptions turning;
  // How far an image is led in any case, for the judge.
  int64_t far_steps = 40;
};

Sizes SizesOf(Preset preset) {
  Sizes sizes;
  switch (preset) {
    case Preset::kSmoke:
      sizes.train_images = 500;
      sizes.test_images = 60;
      sizes.compared_images = 40;
      sizes.turned_images = 20;
      sizes.judging_images = 200;
      break;
    case Preset::kQuick:
      break;
    case Preset::kPaper:
      sizes.compared_images = 2000;
      sizes.turned_images = 500;
      sizes.judging_images = 20000;
      break;
  }
  return sizes;
}

Json ConfigOf(const ClassifierRecipe& recipe, const Sizes& sizes,
              const std::string& dataset) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config.update(recipe.ToJson());
  config["train_images"] = sizes.train_images;
  config["test_images"] = sizes.test_images;
  config["compared_images"] = sizes.compared_images;
  config["turned_images"] = sizes.turned_images;
  config["judging_images"] = sizes.judging_images;
  config["turning"] = {{"step", sizes.turning.step},
                       {"most_steps", sizes.turning.most_steps},
                       {"far_steps", sizes.far_steps}};
  return config;
}

// Every image with every class: x (n · classes, d), labels and targets.
struct Pairs {
  torch::Tensor x;
  torch::Tensor labels;
  torch::Tensor targets;

  Pairs Select(const torch::Tensor& index) const {
    return {x.index_select(0, index), labels.index_select(0, index),
            targets.index_select(0, index)};
  }
};

Pairs PairsOf(const torch::Tensor& x, const torch::Tensor& labels,
              int64_t classes) {
  return {x.repeat_interleave(classes, 0), labels.repeat_interleave(classes),
          torch::arange(classes, labels.options()).repeat({x.size(0)})};
}

// The mean image of each class, (classes, d).
torch::Tensor ClassMeans(const torch::Tensor& x, const torch::Tensor& labels,
                         int64_t classes) {
  const torch::Tensor members =
      (labels.unsqueeze(0) ==
       torch::arange(classes, labels.options()).unsqueeze(1))
          .to(x.scalar_type());
  return members.matmul(x) / members.sum(1, /*keepdim=*/true).clamp_min(1.0);
}

// The mean of those that are a number; no metric where there is none.
void AddMean(const std::string& name, const torch::Tensor& values,
             Metrics* metrics) {
  const torch::Tensor numbers =
      values.masked_select(values.isnan().logical_not());
  if (numbers.numel() > 0) (*metrics)[name] = numbers.mean().item<double>();
}

// How the direction towards a class is ordered: by the image itself, for its
// own class; by what the class's mean image has more than it, for others.
absl::Status AddCorrelations(SequentialImpl& network, const Pairs& pairs,
                             const torch::Tensor& means, double temperature,
                             RunOutcome* outcome) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor directions,
      DirectionsTowards(network, pairs.x, pairs.targets, temperature));
  const torch::Tensor own =
      (pairs.labels == pairs.targets).nonzero().squeeze(1);
  const torch::Tensor others =
      (pairs.labels != pairs.targets).nonzero().squeeze(1);
  const Pairs at_own = pairs.Select(own);
  const Pairs at_others = pairs.Select(others);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor with_image,
      RankCorrelations(directions.index_select(0, own), at_own.x));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor with_size,
      RankCorrelations(directions.index_select(0, own).abs(), at_own.x));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor with_change,
      RankCorrelations(directions.index_select(0, others),
                       means.index_select(0, at_others.targets) - at_others.x));
  AddMean("correlation_own", with_image, &outcome->metrics);
  AddMean("correlation_size", with_size, &outcome->metrics);
  AddMean("correlation_target", with_change, &outcome->metrics);
  return absl::OkStatus();
}

// The class of the nearest of `images` for every row of x.
torch::Tensor NearestClass(const torch::Tensor& x, const torch::Tensor& images,
                           const torch::Tensor& labels) {
  return labels.index_select(0, torch::cdist(x, images).argmin(1));
}

// Over all that were to be turned; none where half did not arrive.
std::optional<int64_t> MedianSteps(const torch::Tensor& steps) {
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  const int64_t median =
      torch::where(steps < 0, torch::full_like(steps, kNever), steps)
          .median()
          .item<int64_t>();
  if (median == kNever) return std::nullopt;
  return median;
}

double ShareOf(const torch::Tensor& condition) {
  return condition.to(torch::kDouble).mean().item<double>();
}

// Until an image is of its target class, and, whatever the network says on the
// way, all `far_steps`.
absl::Status AddTurning(SequentialImpl& network, const Pairs& pairs,
                        const torch::Tensor& judges,
                        const torch::Tensor& judge_labels,
                        TurningOptions options, int64_t far_steps,
                        RunOutcome* outcome) {
  const Pairs others =
      pairs.Select((pairs.labels != pairs.targets).nonzero().squeeze(1));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Turning turning,
      TurnInto(network, others.x, others.targets, options));
  options.stop_there = false;
  options.most_steps = far_steps;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Turning far, TurnInto(network, others.x, others.targets, options));
  outcome->metrics["judged_far"] =
      ShareOf(NearestClass(far.x, judges, judge_labels) == others.targets);
  const torch::Tensor arrived = (turning.steps >= 0).nonzero().squeeze(1);
  outcome->metrics["turned_share"] = static_cast<double>(arrived.numel()) /
                                     static_cast<double>(turning.steps.numel());
  const std::optional<int64_t> median = MedianSteps(turning.steps);
  if (median.has_value()) {
    outcome->metrics["median_steps"] = static_cast<double>(*median);
  }
  if (arrived.numel() == 0) return absl::OkStatus();
  const torch::Tensor there = turning.x.index_select(0, arrived);
  outcome->metrics["median_distance"] =
      (there - others.x.index_select(0, arrived))
          .norm(2, {1})
          .median()
          .item<double>();
  outcome->metrics["judged_there"] =
      ShareOf(NearestClass(there, judges, judge_labels) ==
              others.targets.index_select(0, arrived));
  return absl::OkStatus();
}

// Whole numbers in [−100, 100] of an image or a direction (d), colours
// averaged.
Json PictureOf(const torch::Tensor& row, const ImageDataset& data) {
  const torch::Tensor grey =
      row.view({data.channels(), -1}).mean(0).to(torch::kDouble).cpu();
  const double largest = grey.abs().max().item<double>();
  const torch::Tensor whole = (largest > 0.0 ? grey * (100.0 / largest) : grey)
                                  .round()
                                  .to(torch::kLong)
                                  .contiguous();
  const int64_t* const begin = whole.data_ptr<int64_t>();
  return Json(std::vector<int64_t>(begin, begin + whole.numel()));
}

// The first test image, and its directions towards every class.
absl::Status AddPictures(SequentialImpl& network, const Pairs& pairs,
                         double temperature, const ImageDataset& data,
                         RunOutcome* outcome) {
  const int64_t classes = data.classes();
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor directions,
      DirectionsTowards(network, pairs.x.narrow(0, 0, classes),
                        pairs.targets.narrow(0, 0, classes), temperature));
  Json towards = Json::array();
  for (int64_t i = 0; i < classes; ++i) {
    towards.push_back(PictureOf(directions[i], data));
  }
  outcome->curves["pictures"] = {{"width", data.width()},
                                 {"classes", data.class_names},
                                 {"label", pairs.labels[0].item<int64_t>()},
                                 {"image", PictureOf(pairs.x[0], data)},
                                 {"towards", towards}};
  return absl::OkStatus();
}

absl::StatusOr<RunOutcome> TrainAndInterpret(const InterpretedModel& model,
                                             const Sizes& sizes,
                                             const ImageDataset& data,
                                             const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(model.recipe, model.norm, data, AccuracyOf, context));
  LIPSCHITZ_RETURN_IF_ERROR(SaveClassifier(context.model_path,
                                           "interpretability", model.name,
                                           model.norm, data, trained));
  SequentialImpl& network = *trained.network;
  RunOutcome outcome;
  outcome.metrics["test_accuracy"] =
      AccuracyOf(Logits(network, FlatPixels(data.test).to(context.device)),
                 data.test.labels.to(context.device))
          .at("accuracy");
  LIPSCHITZ_ASSIGN_OR_RETURN(const double bound,
                             network.LipschitzBound(model.norm));
  outcome.lipschitz = LipschitzRecord{model.norm, bound, 0.0};
  outcome.SetTraining(trained.training);

  // Where a network is sure of a class, float32 has no gradient left.
  const Float64Evaluation evaluation(network);
  const auto pixels = [&](const LabelledImages& images) {
    return FlatPixels(images).to(torch::kDouble).to(context.device);
  };
  const auto pairs_of = [&](int64_t count) {
    const LabelledImages shown = FirstImages(data.test, count);
    return PairsOf(pixels(shown), shown.labels.to(context.device),
                   data.classes());
  };
  const LabelledImages judging = FirstImages(data.train, sizes.judging_images);
  const torch::Tensor judges = pixels(judging);
  const torch::Tensor judge_labels = judging.labels.to(context.device);
  const double temperature = model.recipe.temperature;
  const Pairs compared = pairs_of(sizes.compared_images);
  const torch::NoGradGuard no_grad;
  LIPSCHITZ_RETURN_IF_ERROR(AddCorrelations(
      network, compared, ClassMeans(judges, judge_labels, data.classes()),
      temperature, &outcome));
  TurningOptions turning = sizes.turning;
  turning.temperature = temperature;
  LIPSCHITZ_RETURN_IF_ERROR(AddTurning(network, pairs_of(sizes.turned_images),
                                       judges, judge_labels, turning,
                                       sizes.far_steps, &outcome));
  if (context.seed == kPictureSeed) {
    LIPSCHITZ_RETURN_IF_ERROR(
        AddPictures(network, compared, temperature, data, &outcome));
  }
  return outcome;
}

}  // namespace

absl::StatusOr<std::vector<Run>> InterpretabilityExperiment::Plan(
    const CommonSettings& common) const {
  const Sizes standard_sizes = SizesOf(common.preset);
  Sizes sizes = standard_sizes;
  sizes.turning.step = settings_.step.value_or(sizes.turning.step);
  sizes.turning.most_steps =
      settings_.most_steps.value_or(sizes.turning.most_steps);
  if (!(sizes.turning.step > 0.0) || sizes.turning.most_steps < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("step must be positive and most_steps at least 1, got ",
                     sizes.turning.step, " and ", sizes.turning.most_steps));
  }
  const std::vector<InterpretedModel> models = InterpretedModels(common.preset);
  std::vector<std::string> known;
  for (const InterpretedModel& model : models) known.push_back(model.name);
  LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown("model", settings_.models, known));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<Run> runs;
  for (const InterpretedModel& standard : models) {
    if (!settings_.models.empty() &&
        std::count(settings_.models.begin(), settings_.models.end(),
                   standard.name) == 0) {
      continue;
    }
    InterpretedModel model = standard;
    model.recipe.epochs = settings_.epochs.value_or(model.recipe.epochs);
    model.recipe.learning_rate =
        settings_.learning_rate.value_or(model.recipe.learning_rate);
    LIPSCHITZ_RETURN_IF_ERROR(model.recipe.Validate(*data));
    Run run;
    run.dataset = data->name;
    run.notes = data->notes;
    run.label = absl::StrCat(data->name, ", ", model.name);
    run.variant = {{"model", model.name}};
    run.config = ConfigOf(model.recipe, sizes, data->name);
    run.slug = MakeSlug(
        absl::StrCat(data->name, "-", model.name), common.preset,
        ConfigOf(standard.recipe, standard_sizes, data->name), &run.config);
    run.execute = [model, sizes, data](const RunContext& context) {
      ImageDataset part = *data;
      part.train = FirstImages(data->train, sizes.train_images);
      part.test = FirstImages(data->test, sizes.test_images);
      return TrainAndInterpret(model, sizes, part, context);
    };
    runs.push_back(std::move(run));
  }
  return runs;
}

Table InterpretabilityExperiment::MakeTable(
    const std::vector<Record>& records) const {
  return InterpretabilityTable(records);
}

absl::Status InterpretabilityExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  return WriteInterpretabilityReport(results_dir, stem, records);
}

}  // namespace lipschitz::experiments
