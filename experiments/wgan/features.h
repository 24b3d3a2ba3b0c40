// The features in which generated images are compared with real ones.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "experiments/common/experiment.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz::experiments {

// What a classifier of the dataset has before its last layer: LeNet with
// MaxMin and free weights, trained on the dataset's own images. Not Inception:
// distances in these features are no FID.
class FeatureNetwork {
 public:
  FeatureNetwork(Sequential network, double test_accuracy)
      : network_(std::move(network)), test_accuracy_(test_accuracy) {}

  // Flat images (n, pixels) in [−1, 1] → (n, 50) float32, in batches.
  torch::Tensor Features(const torch::Tensor& images) const;

  double test_accuracy() const { return test_accuracy_; }

 private:
  Sequential network_;
  double test_accuracy_;
};

// One classifier for each seed, trained when it is first asked for. It follows
// from the seed alone, so that a run which finds none trains the same.
class FeatureNetworks {
 public:
  explicit FeatureNetworks(int64_t epochs) : epochs_(epochs) {}

  // Trained on data.train with context.seed; sets the seed of LibTorch's
  // default generator. Cancelled when a stop was requested.
  absl::StatusOr<std::shared_ptr<const FeatureNetwork>> Get(
      const ImageDataset& data, const RunContext& context);

 private:
  int64_t epochs_;
  std::map<uint64_t, std::shared_ptr<const FeatureNetwork>> networks_;
};

}  // namespace lipschitz::experiments
