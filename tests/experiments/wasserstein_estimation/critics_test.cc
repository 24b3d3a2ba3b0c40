#include "experiments/wasserstein_estimation/critics.h"

#include <torch/types.h>

#include <set>
#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz::experiments {
namespace {

using testing::FailsWith;

// Widths that a group size does not divide would be an error of the plan.
TEST(Critics, EveryCriticOfEveryPresetFitsImagesOfEveryDataset) {
  struct Image {
    int64_t channels;
    int64_t size;
  };
  for (const Preset preset : {Preset::kQuick, Preset::kPaper}) {
    for (const CriticSpec& spec : CriticSpecs(preset)) {
      for (const Image& image : {Image{1, 28}, Image{3, 32}}) {
        const auto network =
            CriticNetworkOf(spec, image.channels, image.size, image.size);
        ASSERT_TRUE(network.ok()) << spec.Slug() << network.status();
        EXPECT_EQ(InputDim(*network), image.channels * image.size * image.size);
        EXPECT_EQ(OutputDim(*network), 1);
      }
    }
  }
}

TEST(Critics, ThePaperPresetHasEveryActivationDepthAndConstraint) {
  std::set<std::string> slugs;
  for (const CriticSpec& spec : CriticSpecs(Preset::kPaper)) {
    EXPECT_TRUE(slugs.insert(spec.Slug()).second) << spec.Slug() << " twice";
  }
  for (const std::string& activation : CriticActivations()) {
    for (const char* depth : {"3", "5", "7"}) {
      for (const char* critic :
           {"dense-stiefel", "dense-bjorck", "dense-spectral",
            "convolutional-orthogonal", "convolutional-spectral"}) {
        const std::string slug =
            std::string(critic) + "-" + activation + "-" + depth;
        EXPECT_EQ(slugs.count(slug), 1u) << slug;
      }
    }
  }
}

// The quick preset stays quick, and can do what the paper's compares.
TEST(Critics, DeeperAndConvolutionalOnesOfTheQuickPresetAreOnRequest) {
  std::set<std::string> slugs;
  for (const CriticSpec& spec : CriticSpecs(Preset::kQuick)) {
    EXPECT_TRUE(slugs.insert(spec.Slug()).second) << spec.Slug() << " twice";
    EXPECT_EQ(spec.on_request,
              spec.network == "convolutional" ||
                  (spec.protocol == Protocol::kHeldOut && spec.depth != 3))
        << spec.Slug();
  }
  for (const std::string& activation : CriticActivations()) {
    for (const char* depth : {"3", "5", "7"}) {
      for (const char* critic :
           {"dense-stiefel", "dense-spectral", "convolutional-orthogonal",
            "convolutional-spectral"}) {
        const std::string slug =
            std::string(critic) + "-" + activation + "-" + depth;
        EXPECT_EQ(slugs.count(slug), 1u) << slug;
      }
    }
  }
  for (const CriticSpec& spec : CriticSpecs(Preset::kPaper)) {
    EXPECT_FALSE(spec.on_request) << spec.Slug();
  }
}

// Depth counts hidden layers, whichever they are.
TEST(Critics, ConvolutionalNetworksHaveAsManyHiddenLayersAsTheirDepth) {
  CriticSpec spec;
  spec.network = "convolutional";
  spec.constraint = "orthogonal";
  for (const int64_t depth : {3, 5, 7}) {
    spec.depth = depth;
    const auto network = CriticNetworkOf(spec, 1, 28, 28);
    ASSERT_TRUE(network.ok()) << network.status();
    const auto& convolutional = std::get<ConvNetConfig>(*network);
    EXPECT_EQ(convolutional.stages.size() + convolutional.hidden.size(),
              static_cast<size_t>(depth));
  }
  const auto invalid = absl::StatusCode::kInvalidArgument;
  spec.depth = 4;
  EXPECT_TRUE(FailsWith(CriticNetworkOf(spec, 1, 28, 28), invalid, {"4"}));
  spec.depth = 3;
  spec.constraint = "stiefel";
  EXPECT_TRUE(FailsWith(CriticNetworkOf(spec, 1, 28, 28), invalid,
                        {"stiefel", "orthogonal"}));
}

}  // namespace
}  // namespace lipschitz::experiments
