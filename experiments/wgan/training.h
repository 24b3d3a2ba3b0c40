// One run: trains a GAN, draws its images and judges them.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/wgan/evaluation.h"
#include "experiments/wgan/features.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/training/wasserstein_gan.h"

namespace lipschitz::experiments {

struct GanRecipe {
  // The images' sizes are the data's.
  WassersteinGanConfig gan;
  // Steps of the generator, and of the critic before each.
  int64_t iterations = 9350;
  int64_t critic_steps = 5;
  // Generator steps between history entries, each with a grid of images.
  int64_t report_every = 187;
  int64_t classifier_epochs = 5;
  EvaluationSizes evaluation;

  Json ToJson() const;
};

// What the runs of one plan share.
struct GanData {
  std::shared_ptr<const ImageDataset> images;
  std::shared_ptr<FeatureNetworks> features;
};

// How many real images generated ones are compared with: the evaluation's, or
// as many as there are test images. InvalidArgument where the dataset has too
// few.
absl::StatusOr<int64_t> ImagesToCompare(const GanRecipe& recipe,
                                        const ImageDataset& data);

// Metrics: those of EvaluateImages on generated and test images;
// "critic_estimate", mean f(x) − mean f(G(z)) over the steps of the last
// history entry; "collapsed", 1 where the images vary by less than 5 % of what
// real ones do, or cover less than 2 % of them, or the training did not stay
// finite (which is a failed verdict, and leaves no other metric). The generator
// is saved at context.model_path and the critic beside it, as NAME.critic.lip.
// The outcome's seconds are those of the training.
absl::StatusOr<RunOutcome> TrainAndEvaluateGan(const GanRecipe& recipe,
                                               const GanData& data,
                                               const RunContext& context);

// The same measures of real images that no GAN was trained on: the floor.
absl::StatusOr<RunOutcome> EvaluateRealImages(const GanRecipe& recipe,
                                              const GanData& data,
                                              const RunContext& context);

}  // namespace lipschitz::experiments
