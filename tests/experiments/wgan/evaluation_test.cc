#include "experiments/wgan/evaluation.h"

#include <ATen/ATen.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/wgan/features.h"
#include "gtest/gtest.h"
#include "lipschitz/layers/constraint.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

constexpr int64_t kPixels = 16;

EvaluationSizes Sizes() {
  EvaluationSizes sizes;
  sizes.images = 300;
  sizes.exact_images = 60;
  sizes.critic_hidden = {16, 16};
  sizes.critic_steps = 150;
  return sizes;
}

FeatureNetwork Features() {
  return FeatureNetwork(
      testing::RandomMlp(1, {kPixels, 12, 3}, ActivationSpec::MaxMin(),
                         ConstraintKind::kNone),
      1.0);
}

at::Tensor Images(int64_t seed) {
  torch::manual_seed(seed);
  return at::rand({300, kPixels}) - 0.5;
}

Evaluation Evaluate(const at::Tensor& images, const at::Tensor& reference) {
  const auto evaluation =
      EvaluateImages(images, reference, Features(), Sizes(), RunContext());
  EXPECT_TRUE(evaluation.ok()) << evaluation.status();
  return evaluation.ok() ? *evaluation : Evaluation();
}

TEST(EvaluateImages, OfTheSameImagesTwice) {
  const at::Tensor images = Images(0);
  Evaluation evaluation = Evaluate(images, images);
  EXPECT_TRUE(evaluation.verdict.ok()) << evaluation.verdict;
  EXPECT_NEAR(evaluation.metrics["exact_wasserstein"], 0.0, 1e-9);
  EXPECT_LE(evaluation.metrics["certified_wasserstein"],
            4 * evaluation.metrics["certified_standard_error"] + 0.05);
  EXPECT_NEAR(evaluation.metrics["frechet_distance"], 0.0, 1e-6);
  EXPECT_EQ(evaluation.metrics["precision"], 1.0);
  EXPECT_EQ(evaluation.metrics["coverage"], 1.0);
  EXPECT_DOUBLE_EQ(evaluation.metrics["variance_ratio"], 1.0);
}

// W1 of a shift is its length, here 0.25 times the root of the dimension, and a
// linear critic attains it.
TEST(EvaluateImages, OfShiftedImages) {
  const at::Tensor reference = Images(0);
  Evaluation evaluation = Evaluate(reference + 0.25, reference);
  EXPECT_TRUE(evaluation.verdict.ok()) << evaluation.verdict;
  EXPECT_NEAR(evaluation.metrics["exact_wasserstein"], 1.0, 1e-5);
  EXPECT_NEAR(evaluation.metrics["certified_wasserstein"], 1.0, 0.1);
  EXPECT_GT(evaluation.metrics["certified_over_exact"], 0.9);
  EXPECT_LE(evaluation.metrics["certified_over_exact"], 1.0 + 1e-6);
  EXPECT_NEAR(evaluation.metrics["variance_ratio"], 1.0, 1e-5);
  EXPECT_GT(evaluation.metrics["frechet_distance"], 1e-4);
}

TEST(EvaluateImages, ImagesThatAreAllTheSame) {
  const at::Tensor reference = Images(0);
  Evaluation evaluation = Evaluate(at::zeros({300, kPixels}), reference);
  EXPECT_LT(evaluation.metrics["coverage"], 0.5);
  EXPECT_EQ(evaluation.metrics["variance_ratio"], 0.0);
  // The mean distance from the one image.
  EXPECT_NEAR(evaluation.metrics["exact_wasserstein"],
              reference.narrow(0, 0, 60).norm(2, 1).mean().item<double>(),
              1e-4);
}

TEST(EvaluateImages, TheSameSeedGivesTheSameNumbers) {
  const at::Tensor reference = Images(0);
  const at::Tensor images = Images(1);
  const Evaluation one = Evaluate(images, reference);
  at::rand({7});
  EXPECT_EQ(Evaluate(images, reference).metrics, one.metrics);
}

TEST(EvaluateImages, NeedsAsManyOfEachSide) {
  const at::Tensor reference = Images(0);
  EXPECT_TRUE(
      testing::FailsWith(EvaluateImages(reference.narrow(0, 0, 200), reference,
                                        Features(), Sizes(), RunContext()),
                         absl::StatusCode::kInvalidArgument, {"200", "300"}));
}

TEST(FeatureNetwork, FeaturesAreWhatTheLastLayerSees) {
  Sequential network = testing::RandomMlp(
      1, {kPixels, 12, 3}, ActivationSpec::MaxMin(), ConstraintKind::kNone);
  // More than a batch.
  torch::manual_seed(2);
  const at::Tensor images = at::rand({1203, kPixels}) * 2 - 1;
  const at::Tensor features = FeatureNetwork(network, 1.0).Features(images);
  EXPECT_EQ(features.sizes(), (std::vector<int64_t>{1203, 12}));
  EXPECT_TRUE(
      at::allclose(network->layer(network->size() - 1)->forward(features),
                   network->forward((images + 1) / 2), 1e-5, 1e-6));
}

}  // namespace
}  // namespace lipschitz::experiments
