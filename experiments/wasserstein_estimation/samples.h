// Real and generated images as samples of two distributions.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/wasserstein_estimation/generators.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/transport/wasserstein_estimate.h"

namespace lipschitz::experiments {

struct SampleCounts {
  // Of each side.
  int64_t training = 0;
  int64_t test = 0;
  // The first of the test, whose exact distance is computed.
  int64_t exact = 0;
};

// P: real images, Q: generated ones; (n, pixels), float32 in [0, 1]. Distances
// are l2, in units of a pixel's range.
struct ImageSamples {
  // Real images of the dataset's training part, and of its test part.
  TwoSamples training;
  TwoSamples test;
  // The first of `test`.
  TwoSamples exact_samples;
  // W1 of `exact_samples`.
  double exact = 0.0;
  // ‖mean P − mean Q‖₂ of `exact_samples`: the best linear critic's value on
  // them, in closed form.
  double linear_same = 0.0;
  // The value on `test` of the linear critic that is the best on `training`.
  double linear_held_out = 0.0;
};

// What samples are drawn from.
class SampleSource {
 public:
  // Takes as many images as there are where `counts` has more.
  SampleSource(std::shared_ptr<const ImageDataset> data,
               NamedGenerator generator, SampleCounts counts);

  // InvalidArgument where the dataset has fewer test images than the exact
  // distance takes.
  absl::Status Check() const;

  // They follow from the seed.
  absl::StatusOr<ImageSamples> Draw(uint64_t seed) const;

  const ImageDataset& data() const { return *data_; }
  const NamedGenerator& generator() const { return generator_; }
  // Of the samples that it draws.
  const SampleCounts& counts() const { return counts_; }

 private:
  std::shared_ptr<const ImageDataset> data_;
  NamedGenerator generator_;
  SampleCounts counts_;
};

// The samples that were asked for last: the runs of a plan, which come source
// by source, share them, and only one source's are in memory.
class LastSamples {
 public:
  absl::StatusOr<std::shared_ptr<const ImageSamples>> Get(
      const std::shared_ptr<const SampleSource>& source, uint64_t seed);

 private:
  std::shared_ptr<const SampleSource> source_;
  uint64_t seed_ = 0;
  std::shared_ptr<const ImageSamples> samples_;
};

// 16×16 images that need no file: 0.5 plus or minus one of four checkered
// patterns, and noise. Their mean is grey, so that a linear critic does not
// tell them from grey images, although each is a distance of about 4.8 away.
std::shared_ptr<const ImageDataset> SyntheticImages();

}  // namespace lipschitz::experiments
