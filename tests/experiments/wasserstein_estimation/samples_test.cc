#include "experiments/wasserstein_estimation/samples.h"

#include <torch/types.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/models/generator.h"
#include "lipschitz/models/metadata.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using testing::FailsWith;
using testing::NewFolder;

GeneratorConfig SmallConfig(int64_t size) {
  GeneratorConfig config;
  config.channels = 1;
  config.height = config.width = size;
  config.hidden = 8;
  config.wide_channels = 4;
  config.narrow_channels = 2;
  return config;
}

// A generator whose images are all of one pixel value.
std::string SaveConstant(int64_t size, float pixel,
                         const ModelMetadata& metadata = {}) {
  const GeneratorConfig config = SmallConfig(size);
  Generator generator(config);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : generator->named_parameters()) {
    if (parameter.key() == "deconv2.weight") parameter.value().zero_();
    // tanh of it is 2 · pixel − 1.
    if (parameter.key() == "deconv2.bias") {
      parameter.value().fill_(std::atanh(2.0F * pixel - 1.0F));
    }
  }
  const std::string path = NewFolder("generator") + "/one.lip";
  const auto saved = SaveGenerator(path, config, generator, metadata);
  EXPECT_TRUE(saved.ok()) << saved;
  return path;
}

TEST(Generators, ImagesAreInTheUnitsOfPixels) {
  const auto data = SyntheticImages();
  const auto generator = ReadGenerator("one", SaveConstant(16, 0.75F), *data);
  ASSERT_TRUE(generator.ok()) << generator.status();
  const torch::Tensor images =
      GeneratedImages(*generator, 1500, RandomSource(0));
  EXPECT_EQ(images.sizes(), (torch::IntArrayRef{1500, 256}));
  EXPECT_TRUE(torch::allclose(images, torch::full_like(images, 0.75)));
}

TEST(Generators, FilesThatDoNotFitAreNamed) {
  const auto data = SyntheticImages();
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const std::string other = SaveConstant(8, 0.5F);
  EXPECT_TRUE(FailsWith(ReadGenerator("g", other, *data), invalid,
                        {other, "1×8×8", "1×16×16", "synthetic"}));
  const std::string missing = NewFolder("none") + "/none.lip";
  EXPECT_TRUE(FailsWith(ReadGenerator("g", missing, *data),
                        absl::StatusCode::kNotFound, {missing}));
  const std::string damaged = NewFolder("damaged") + "/damaged.lip";
  std::ofstream(damaged) << "not a generator";
  EXPECT_TRUE(
      FailsWith(ReadGenerator("g", damaged, *data), invalid, {damaged}));
}

// The same size is not enough: MNIST and Fashion-MNIST have it in common.
TEST(Generators, OneOfAnotherDatasetIsRefused) {
  const auto data = SyntheticImages();
  const std::string mine = SaveConstant(16, 0.5F, {{"dataset", "synthetic"}});
  EXPECT_TRUE(ReadGenerator("g", mine, *data).ok());
  const std::string other = SaveConstant(16, 0.5F, {{"dataset", "mnist"}});
  EXPECT_TRUE(FailsWith(ReadGenerator("g", other, *data),
                        absl::StatusCode::kInvalidArgument,
                        {other, "mnist", "synthetic", "--dataset=mnist"}));
}

// Records say how many there were, not how many were asked for.
TEST(Samples, AreAsManyAsThereAre) {
  const auto data = SyntheticImages();
  const SampleSource source(data, UntrainedGenerator(*data), {5000, 4000, 8});
  EXPECT_EQ(source.counts().training, 800);
  EXPECT_EQ(source.counts().test, 400);
  const auto samples = source.Draw(0);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->training.p.size(0), 800);
  EXPECT_EQ(samples->training.q.size(0), 800);
  EXPECT_EQ(samples->test.p.size(0), 400);
  EXPECT_EQ(samples->test.q.size(0), 400);
}

TEST(LastSamples, AreDrawnAgainForAnotherSeedOrSource) {
  const auto data = SyntheticImages();
  const SampleCounts counts = {40, 20, 8};
  const auto first = std::make_shared<const SampleSource>(
      data, UntrainedGenerator(*data), counts);
  const auto generator = ReadGenerator("g", SaveConstant(16, 0.9F), *data);
  ASSERT_TRUE(generator.ok()) << generator.status();
  const auto second =
      std::make_shared<const SampleSource>(data, *generator, counts);
  LastSamples last;
  const auto get = [&last](const auto& source, uint64_t seed) {
    const auto samples = last.Get(source, seed);
    EXPECT_TRUE(samples.ok()) << samples.status();
    return *samples;
  };
  const auto kept = get(first, 0);
  EXPECT_EQ(get(first, 0), kept);
  EXPECT_FALSE(torch::equal(get(first, 1)->test.p, kept->test.p));
  EXPECT_TRUE(torch::equal(get(second, 0)->test.p, kept->test.p));
  EXPECT_FALSE(torch::equal(get(second, 0)->test.q, kept->test.q));
  EXPECT_TRUE(torch::equal(get(first, 0)->test.q, kept->test.q));
}

// Every real image is about |0.3| · 16 = 4.8 from a grey one, and their mean is
// grey: the exact distance is known and a linear critic does not see it.
TEST(Samples, OfSyntheticImagesAndAGreyOneHaveTheKnownDistance) {
  const auto data = SyntheticImages();
  const auto generator = ReadGenerator("grey", SaveConstant(16, 0.5F), *data);
  ASSERT_TRUE(generator.ok()) << generator.status();
  const SampleSource source(data, *generator, {400, 200, 64});
  ASSERT_TRUE(source.Check().ok());
  const auto samples = source.Draw(3);
  ASSERT_TRUE(samples.ok()) << samples.status();
  EXPECT_EQ(samples->training.p.size(0), 400);
  EXPECT_EQ(samples->training.q.size(0), 400);
  EXPECT_EQ(samples->test.p.size(0), 200);
  EXPECT_NEAR(samples->exact, 4.8, 0.1);
  // W1 to a point mass is the mean distance from it.
  EXPECT_NEAR(
      samples->exact,
      (samples->exact_samples.p - 0.5).norm(2, /*dim=*/1).mean().item<double>(),
      1e-4);
  EXPECT_LT(samples->linear_held_out, 1.0);
  EXPECT_LE(samples->linear_same, samples->exact);
  EXPECT_NEAR(samples->linear_same,
              (samples->exact_samples.p.mean(0) - 0.5).norm().item<double>(),
              1e-4);
}

TEST(Samples, FollowTheSeed) {
  const auto data = SyntheticImages();
  const SampleSource source(data, UntrainedGenerator(*data), {100, 50, 20});
  const auto first = source.Draw(0);
  ASSERT_TRUE(first.ok()) << first.status();
  const auto other = source.Draw(1);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_FALSE(torch::equal(first->training.p, other->training.p));
  EXPECT_FALSE(torch::equal(first->training.q, other->training.q));
  const auto again = source.Draw(0);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(torch::equal(first->test.p, again->test.p));
  EXPECT_TRUE(torch::equal(first->test.q, again->test.q));
  EXPECT_EQ(first->exact, again->exact);
}

TEST(Samples, TooFewTestImagesAreAnError) {
  const auto data = SyntheticImages();
  const SampleSource source(data, UntrainedGenerator(*data), {100, 50, 1000});
  EXPECT_TRUE(FailsWith(source.Check(), absl::StatusCode::kInvalidArgument,
                        {"400", "1000"}));
}

}  // namespace
}  // namespace lipschitz::experiments
