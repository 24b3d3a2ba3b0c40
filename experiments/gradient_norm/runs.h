// The two kinds of networks, trained, and their gradients before and after.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "experiments/common/classifier_training.h"
#include "experiments/common/experiment.h"
#include "experiments/common/record.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {

struct MeasurementSizes {
  // At which gradients are measured.
  int64_t points = 256;
  // From which the lower bounds start, and their steps.
  int64_t bound_points = 32;
  int bound_steps = 20;

  Json ToJson() const;
};

// A critic of the unit sphere in `dimension` dimensions against its centre,
// whose distance is 1. The outcome's verdict is not ok where the gradient's
// norm is not kept by layers that keep it, where two points show a larger
// constant than the proven one, and where the estimate is above the distance.
absl::StatusOr<RunOutcome> RunCritic(int64_t dimension,
                                     WassersteinConfig config,
                                     const MeasurementSizes& sizes,
                                     const RunContext& context);

// A classifier; gradients are those of the labels' logits at the first test
// images. The verdict as above.
absl::StatusOr<RunOutcome> RunClassifier(const ClassifierRecipe& recipe,
                                         const ImageDataset& data,
                                         const MeasurementSizes& sizes,
                                         const RunContext& context);

}  // namespace lipschitz::experiments
