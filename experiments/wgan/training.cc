#include "experiments/wgan/training.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/image_data.h"
#include "experiments/common/image_grid.h"
#include "experiments/common/verdict.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/batches.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/split.h"
#include "lipschitz/diagnostics/gradient_norms.h"
#include "lipschitz/losses/gradient_penalty.h"
#include "lipschitz/models/generator.h"
#include "lipschitz/models/saved_model.h"
#include "lipschitz/training/train.h"

namespace lipschitz::experiments {
namespace {

using Clock = std::chrono::steady_clock;

// Streams of random numbers of a run.
constexpr uint64_t kSplitStream = 21;
constexpr uint64_t kBatchStream = 22;
constexpr uint64_t kNoiseStream = 23;
constexpr uint64_t kGridStream = 24;
constexpr uint64_t kSampleStream = 25;
constexpr uint64_t kGradientStream = 26;
constexpr uint64_t kReferenceStream = 27;
constexpr uint64_t kReferenceOrderStream = 28;
constexpr uint64_t kHeldOutOrderStream = 29;

constexpr int64_t kGridImages = 64;
constexpr int64_t kGridColumns = 8;
constexpr int64_t kSampleBatch = 500;
constexpr int64_t kGradientPoints = 500;
// The shares of EvaluationSizes leave nothing of fewer.
constexpr int64_t kFewestImages = 20;

constexpr double kCollapsedVariance = 0.05;
constexpr double kCollapsedCoverage = 0.02;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// (n, pixels) in [−1, 1].
torch::Tensor SignedPixels(const LabelledImages& images) {
  return FlatPixels(images) * 2.0 - 1.0;
}

struct Parts {
  // What GAN and classifier are trained on, with the test images.
  ImageDataset training;
  // In random order: a dataset's files may be sorted by class or difficulty,
  // as MNIST's test images are, and a part of these images is to be like all.
  torch::Tensor held_out;   // of the training images
  torch::Tensor reference;  // test images, as many, every class in its share
};

// (n, pixels) in [−1, 1] of the images with these indices, in an order drawn
// with `seed`.
torch::Tensor Shuffled(const LabelledImages& images,
                       const torch::Tensor& indices, uint64_t seed) {
  const torch::Tensor order =
      torch::randperm(indices.numel(), RandomSource(seed).generator());
  return SignedPixels(images.Select(indices.index_select(0, order)));
}

absl::StatusOr<torch::Tensor> ReferenceImages(const LabelledImages& test,
                                              int64_t n, uint64_t seed) {
  const uint64_t order = StreamSeed(seed, kReferenceOrderStream);
  if (n == test.size()) {
    return Shuffled(test, torch::arange(n, torch::kLong), order);
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Split drawn,
      StratifiedSplit(test.labels, n, StreamSeed(seed, kReferenceStream)));
  return Shuffled(test, drawn.validation, order);
}

absl::StatusOr<Parts> Divide(const GanRecipe& recipe, const ImageDataset& data,
                             uint64_t seed) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const int64_t n, ImagesToCompare(recipe, data));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Split split,
      StratifiedSplit(data.train.labels, n, StreamSeed(seed, kSplitStream)));
  Parts parts;
  parts.training = data;
  parts.training.train = data.train.Select(split.train);
  // In another order than the reference's, so that nothing pairs them.
  parts.held_out = Shuffled(data.train, split.validation,
                            StreamSeed(seed, kHeldOutOrderStream));
  LIPSCHITZ_ASSIGN_OR_RETURN(parts.reference,
                             ReferenceImages(data.test, n, seed));
  return parts;
}

// Of the generator in evaluation, on the CPU.
torch::Tensor Generate(WassersteinGan& gan, int64_t n, uint64_t seed) {
  const torch::NoGradGuard no_grad;
  const EvaluationMode evaluation(gan);
  const torch::Device device = gan.parameters().front().device();
  const torch::Tensor noise =
      GeneratorNoise(gan.config().generator, n, RandomSource(seed).generator());
  std::vector<torch::Tensor> images;
  for (const torch::Tensor& z : noise.split(kSampleBatch)) {
    images.push_back(gan.forward(z.to(device)).cpu());
  }
  return torch::cat(images);
}

// As one picture; none where the run is to leave no pictures.
absl::Status Draw(const torch::Tensor& images, const ImageDataset& data,
                  const RunContext& context, const std::string& suffix) {
  if (context.picture_stem.empty()) return absl::OkStatus();
  GridShape shape;
  shape.channels = data.channels();
  shape.height = data.height();
  shape.width = data.width();
  shape.columns = kGridColumns;
  return WriteImageGrid(
      absl::StrCat(context.picture_stem, suffix),
      images.narrow(0, 0, std::min(kGridImages, images.size(0))), shape);
}

// Of the same noise at every time.
absl::Status DrawGenerated(WassersteinGan& gan, const ImageDataset& data,
                           const RunContext& context,
                           const std::string& suffix) {
  return Draw(Generate(gan, kGridImages, StreamSeed(context.seed, kGridStream)),
              data, context, suffix);
}

absl::StatusOr<TrainingResult> TrainGan(const GanRecipe& recipe,
                                        const ImageDataset& data,
                                        const RunContext& context,
                                        WassersteinGan& gan) {
  const LabelledImages& images = data.train;
  BatchesConfig batching;
  batching.size = images.size();
  batching.batch_size = recipe.gan.batch_size;
  batching.seed = StreamSeed(context.seed, kBatchStream);
  batching.drop_last = true;
  LIPSCHITZ_ASSIGN_OR_RETURN(Batches batches, Batches::Create(batching));
  RandomSource random(StreamSeed(context.seed, kNoiseStream));

  TrainingOptions options;
  options.steps = recipe.iterations;
  options.learning_rate = recipe.gan.generator_learning_rate;
  options.report_every = recipe.report_every;
  options.checkpoint = context.checkpoint;

  TrainingHooks hooks;
  hooks.loss = [&](int64_t step) -> absl::StatusOr<torch::Tensor> {
    for (int64_t i = 0; i < recipe.critic_steps; ++i) {
      const torch::Tensor real =
          SignedPixels(
              images.Select(batches.At(step * recipe.critic_steps + i)))
              .to(context.device);
      LIPSCHITZ_RETURN_IF_ERROR(gan.CriticStep(real, random));
    }
    return gan.GeneratorLoss(random);
  };
  hooks.report = [&](int64_t step) -> absl::StatusOr<Metrics> {
    LIPSCHITZ_RETURN_IF_ERROR(DrawGenerated(
        gan, data, context, absl::StrFormat("/iteration-%06d.png", step)));
    return gan.TakeCriticMetrics();
  };
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  return Train(gan, gan.generator_optimizer(), random, options, hooks,
               {&gan.critic_optimizer()});
}

// The critic's constant from above, and its largest gradient between images of
// both sides.
absl::StatusOr<LipschitzRecord> BoundCritic(WassersteinGan& gan,
                                            const torch::Tensor& images,
                                            const torch::Tensor& reference,
                                            const RunContext& context) {
  const Float64Evaluation evaluation(*gan.critic());
  LipschitzRecord bounds;
  LIPSCHITZ_ASSIGN_OR_RETURN(bounds.upper_bound,
                             gan.critic()->LipschitzBound(Norm::kL2));
  const int64_t n = std::min(kGradientPoints, images.size(0));
  const torch::Tensor points = RandomPointsBetween(
      reference.narrow(0, 0, n).to(torch::kDouble),
      images.narrow(0, 0, n).to(torch::kDouble),
      RandomSource(StreamSeed(context.seed, kGradientStream)).generator());
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor norms,
      InputGradientNorms(*gan.critic(), points.detach().to(context.device),
                         Norm::kL2));
  bounds.lower_bound = norms.max().item<double>();
  return bounds;
}

// A critic that is 1-Lipschitz by construction is; none is steeper than proven.
absl::Status CriticVerdict(WassersteinGanKind kind,
                           const LipschitzRecord& bounds) {
  if (kind == WassersteinGanKind::kLwgan) {
    LIPSCHITZ_RETURN_IF_ERROR(ExpectUnitConstant(bounds.upper_bound));
  }
  return ExpectSlopeWithin(bounds.lower_bound, bounds.upper_bound);
}

absl::Status Save(const GanRecipe& recipe, const std::string& dataset,
                  const RunContext& context, WassersteinGan& gan) {
  if (context.model_path.empty()) return absl::OkStatus();
  const ModelMetadata metadata = {
      {"experiment", "wgan"},
      {"kind", WassersteinGanName(recipe.gan.kind)},
      {"dataset", dataset},
      {"seed", absl::StrCat(context.seed)},
      {"iterations", absl::StrCat(recipe.iterations)},
      {"noise", "standard normal"},
      {"image_range", "-1,1"}};
  LIPSCHITZ_RETURN_IF_ERROR(SaveGenerator(
      context.model_path, gan.config().generator, gan.generator(), metadata));
  std::string stem = context.model_path;
  if (absl::EndsWith(stem, ".lip")) stem.resize(stem.size() - 4);
  return SaveModel(absl::StrCat(stem, ".critic.lip"),
                   CriticNetwork(gan.config()), gan.critic(),
                   {{"experiment", "wgan"},
                    {"kind", WassersteinGanName(recipe.gan.kind)},
                    {"dataset", dataset},
                    {"norm", NormName(Norm::kL2)},
                    {"input_range", "-1,1"}});
}

// Marks the outcome where the images are nearly all the same, or cover nearly
// nothing.
void MarkCollapse(RunOutcome* outcome) {
  const double variance = outcome->metrics.at("variance_ratio");
  const double coverage = outcome->metrics.at("coverage");
  const bool collapsed =
      variance < kCollapsedVariance || coverage < kCollapsedCoverage;
  outcome->metrics["collapsed"] = collapsed ? 1.0 : 0.0;
  if (!collapsed) return;
  outcome->message = absl::StrFormat(
      "collapsed: the images vary by %.3g of what real ones do and cover %.3g "
      "of them",
      variance, coverage);
}

}  // namespace

Json GanRecipe::ToJson() const {
  Json json = {{"iterations", iterations},
               {"critic_steps", critic_steps},
               {"report_every", report_every},
               {"batch_size", gan.batch_size},
               {"noise_dim", gan.generator.noise_dim},
               {"generator_hidden", gan.generator.hidden},
               {"generator_channels",
                {gan.generator.wide_channels, gan.generator.narrow_channels}},
               {"critic_channels", gan.critic_channels},
               {"critic_hidden", gan.critic_hidden},
               {"optimizer", "adam"},
               {"generator_learning_rate", gan.generator_learning_rate},
               {"critic_learning_rate", gan.critic_learning_rate},
               {"beta1", gan.beta1},
               {"beta2", gan.beta2}};
  if (gan.kind == WassersteinGanKind::kWgan) json["clip"] = gan.clip;
  if (gan.kind == WassersteinGanKind::kWganGp) json["penalty"] = gan.penalty;
  json["classifier_epochs"] = classifier_epochs;
  json.update(evaluation.ToJson());
  return json;
}

absl::StatusOr<int64_t> ImagesToCompare(const GanRecipe& recipe,
                                        const ImageDataset& data) {
  const int64_t n = std::min(recipe.evaluation.images, data.test.size());
  const int64_t left = data.train.size() - n;
  if (n < kFewestImages || left < std::max(n, recipe.gan.batch_size)) {
    return absl::InvalidArgumentError(absl::StrCat(
        data.name, " has ", data.train.size(), " training and ",
        data.test.size(),
        " test images: too few to train on, to hold out and "
        "to compare with (at least ",
        kFewestImages,
        " test images are needed, and of training images as many as are "
        "compared and as many again, or a batch of ",
        recipe.gan.batch_size, " where that is more)"));
  }
  return n;
}

absl::StatusOr<RunOutcome> TrainAndEvaluateGan(const GanRecipe& recipe,
                                               const GanData& data,
                                               const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const Parts parts,
                             Divide(recipe, *data.images, context.seed));
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::shared_ptr<WassersteinGan> gan,
                             WassersteinGan::Create(recipe.gan));
  gan->to(torch::Device(context.device));
  const Clock::time_point start = Clock::now();
  const auto training = TrainGan(recipe, parts.training, context, *gan);
  RunOutcome outcome;
  if (absl::IsAborted(training.status())) {
    // Of this process: what it resumed from is lost with the training.
    outcome.seconds = SecondsSince(start);
    outcome.metrics["collapsed"] = 1.0;
    outcome.verdict = training.status();
    return outcome;
  }
  LIPSCHITZ_RETURN_IF_ERROR(training.status());
  if (context.notice) context.notice("judging the images");
  LIPSCHITZ_RETURN_IF_ERROR(
      DrawGenerated(*gan, parts.training, context, ".png"));
  LIPSCHITZ_RETURN_IF_ERROR(Save(recipe, data.images->name, context, *gan));
  const torch::Tensor images = Generate(
      *gan, parts.reference.size(0), StreamSeed(context.seed, kSampleStream));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      outcome.lipschitz, BoundCritic(*gan, images, parts.reference, context));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto features,
                             data.features->Get(parts.training, context));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Evaluation evaluation,
                             EvaluateImages(images, parts.reference, *features,
                                            recipe.evaluation, context));
  outcome.metrics = evaluation.metrics;
  outcome.verdict = evaluation.verdict;
  outcome.verdict.Update(CriticVerdict(recipe.gan.kind, *outcome.lipschitz));
  outcome.SetTraining(*training);
  const Metrics& last = training->history.back().metrics;
  outcome.metrics["critic_estimate"] = last.at("critic_estimate");
  MarkCollapse(&outcome);
  return outcome;
}

absl::StatusOr<RunOutcome> EvaluateRealImages(const GanRecipe& recipe,
                                              const GanData& data,
                                              const RunContext& context) {
  const Clock::time_point start = Clock::now();
  LIPSCHITZ_ASSIGN_OR_RETURN(const Parts parts,
                             Divide(recipe, *data.images, context.seed));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto features,
                             data.features->Get(parts.training, context));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Evaluation evaluation,
      EvaluateImages(parts.held_out, parts.reference, *features,
                     recipe.evaluation, context));
  RunOutcome outcome;
  outcome.metrics = evaluation.metrics;
  outcome.metrics["classifier_accuracy"] = features->test_accuracy();
  outcome.verdict = evaluation.verdict;
  LIPSCHITZ_RETURN_IF_ERROR(
      Draw(parts.held_out, parts.training, context, ".png"));
  outcome.seconds = SecondsSince(start);
  return outcome;
}

}  // namespace lipschitz::experiments
