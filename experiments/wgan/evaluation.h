// How near generated images are to real ones, without the critic that the
// generator was trained against.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "experiments/wgan/features.h"
#include "lipschitz/training/history.h"

namespace lipschitz::experiments {

struct EvaluationSizes {
  // Of each side, at most: for everything but the exact distance, and for that.
  int64_t images = 10000;
  int64_t exact_images = 1000;
  // Of the fresh critic.
  std::vector<int64_t> critic_hidden = {256, 256, 256};
  int64_t critic_steps = 1500;
  // k of coverage and its relatives.
  int64_t neighbours = 5;

  Json ToJson() const;
};

struct Evaluation {
  // Distances are in l2 of images in [−1, 1]:
  // "certified_wasserstein" ± "certified_standard_error": the mean difference
  //   of a dense orthonormal critic with GroupSort(4), over its proven K; it
  //   sees 60 % of the images, is chosen on 10 % and estimates on the other
  //   30 %. "interval_lower" and "interval_upper": its expectation is between
  //   them with a confidence of 95 %; that is at most W1;
  // "exact_wasserstein": of the first `exact_images` of each side, by linear
  //   programming, and "certified_over_exact": the critic's share of it;
  // "frechet_distance": squared, in the classifier's features;
  // "precision", "recall", "density", "coverage": in the same features;
  // "variance_ratio": of the pixels' mean variances.
  Metrics metrics;
  // Not ok when the critic's proven constant is above 1 or it certified more
  // than the exact distance.
  absl::Status verdict;
};

// `images` and `reference`: (n, pixels) flat in [−1, 1], as many of each. The
// seed rules the critic.
absl::StatusOr<Evaluation> EvaluateImages(const torch::Tensor& images,
                                          const torch::Tensor& reference,
                                          const FeatureNetwork& features,
                                          const EvaluationSizes& sizes,
                                          const RunContext& context);

}  // namespace lipschitz::experiments
