#include "experiments/wasserstein_estimation/samples.h"

#include <torch/types.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "experiments/common/image_data.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/labelled_images.h"
#include "lipschitz/transport/exact_wasserstein.h"

namespace lipschitz::experiments {
namespace {

// Streams of random numbers of a seed.
constexpr uint64_t kRealStream = 41;
constexpr uint64_t kGeneratedStream = 42;

// `n` of the images in a random order.
torch::Tensor DrawReal(const LabelledImages& images, int64_t n,
                       const RandomSource& random) {
  const torch::Tensor order =
      torch::randperm(images.size(), random.generator());
  return FlatPixels(images.Select(order.narrow(0, 0, n)));
}

torch::Tensor MeanDifference(const TwoSamples& samples) {
  return samples.p.mean(0, /*keepdim=*/false, torch::kDouble) -
         samples.q.mean(0, /*keepdim=*/false, torch::kDouble);
}

LabelledImages SyntheticPart(int64_t n, uint64_t seed) {
  constexpr int64_t kSize = 16;
  const RandomSource random(seed);
  const torch::Tensor axis = torch::arange(kSize);
  torch::Tensor patterns = torch::empty({4, kSize, kSize});
  for (int64_t i = 0; i < 4; ++i) {
    // Squares of 8, 4, 2 and 1 pixels, as +1 and −1.
    const torch::Tensor parity =
        torch::bitwise_right_shift(axis, 3 - i).remainder(2).to(torch::kFloat);
    const torch::Tensor sign = 1.0 - 2.0 * parity;
    patterns[i] = sign.unsqueeze(1) * sign.unsqueeze(0);
  }
  LabelledImages images;
  images.labels = torch::arange(n).remainder(4);
  const torch::Tensor sign =
      1.0 - 2.0 * torch::div(torch::arange(n), 4, "floor").remainder(2);
  const torch::Tensor pixels =
      0.5 +
      0.3 * sign.reshape({n, 1, 1, 1}) *
          patterns.index_select(0, images.labels).unsqueeze(1) +
      0.03 * torch::randn({n, 1, kSize, kSize}, random.generator());
  images.images = (255.0 * pixels.clamp(0.0, 1.0)).round().to(torch::kByte);
  return images;
}

}  // namespace

SampleSource::SampleSource(std::shared_ptr<const ImageDataset> data,
                           NamedGenerator generator, SampleCounts counts)
    : data_(std::move(data)),
      generator_(std::move(generator)),
      counts_(counts) {
  counts_.training = std::min(counts.training, data_->train.size());
  counts_.test = std::min(counts.test, data_->test.size());
}

absl::Status SampleSource::Check() const {
  if (data_->test.size() < counts_.exact) {
    return absl::InvalidArgumentError(
        absl::StrCat(data_->name, " has ", data_->test.size(),
                     " test images, the exact distance takes ", counts_.exact));
  }
  return absl::OkStatus();
}

absl::StatusOr<ImageSamples> SampleSource::Draw(uint64_t seed) const {
  const RandomSource real(StreamSeed(seed, kRealStream));
  const RandomSource generated(StreamSeed(seed, kGeneratedStream));
  ImageSamples samples;
  samples.training.p = DrawReal(data_->train, counts_.training, real);
  samples.training.q =
      GeneratedImages(generator_, samples.training.p.size(0), generated);
  samples.test.p = DrawReal(data_->test, counts_.test, real);
  samples.test.q =
      GeneratedImages(generator_, samples.test.p.size(0), generated);
  samples.exact_samples = {samples.test.p.narrow(0, 0, counts_.exact),
                           samples.test.q.narrow(0, 0, counts_.exact)};
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const OptimalTransport optimum,
      SolveTransport({samples.exact_samples.p, {}},
                     {samples.exact_samples.q, {}}, Norm::kL2));
  samples.exact = optimum.value;
  samples.linear_same =
      MeanDifference(samples.exact_samples).norm().item<double>();
  // x ↦ ⟨x, d⟩ / ‖d‖ with the d of the training.
  const torch::Tensor direction = MeanDifference(samples.training);
  const double length = direction.norm().item<double>();
  samples.linear_held_out =
      length == 0.0
          ? 0.0
          : MeanDifference(samples.test).dot(direction).item<double>() / length;
  return samples;
}

absl::StatusOr<std::shared_ptr<const ImageSamples>> LastSamples::Get(
    const std::shared_ptr<const SampleSource>& source, uint64_t seed) {
  if (!samples_ || source_ != source || seed_ != seed) {
    samples_.reset();
    LIPSCHITZ_ASSIGN_OR_RETURN(ImageSamples samples, source->Draw(seed));
    samples_ = std::make_shared<const ImageSamples>(std::move(samples));
    source_ = source;
    seed_ = seed;
  }
  return samples_;
}

std::shared_ptr<const ImageDataset> SyntheticImages() {
  ImageDataset data;
  data.name = "synthetic";
  data.train = SyntheticPart(800, 1);
  data.test = SyntheticPart(400, 2);
  data.class_names = {"8", "4", "2", "1"};
  return std::make_shared<const ImageDataset>(std::move(data));
}

}  // namespace lipschitz::experiments
