#include "lipschitz/data/augmentation.h"

#include <torch/torch.h>

#include <set>
#include <utility>

#include "gtest/gtest.h"
#include "lipschitz/data/random.h"

namespace lipschitz {
namespace {

// By slices, for comparison: what `image` (channels, height, width) is when it
// is moved down and to the right.
torch::Tensor Moved(const torch::Tensor& image, int64_t down, int64_t right) {
  torch::Tensor moved = torch::zeros_like(image);
  const int64_t height = image.size(1);
  const int64_t width = image.size(2);
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < width; ++j) {
      const int64_t from_i = i - down;
      const int64_t from_j = j - right;
      if (from_i < 0 || from_i >= height || from_j < 0 || from_j >= width) {
        continue;
      }
      for (int64_t c = 0; c < image.size(0); ++c) {
        moved[c][i][j] = image[c][from_i][from_j];
      }
    }
  }
  return moved;
}

TEST(ShiftRandomlyTest, MovesEveryImageByItsOwnWholePixels) {
  torch::manual_seed(1);
  const int64_t most = 2;
  const torch::Tensor images =
      torch::randint(1, 256, {60, 2, 5, 4}, torch::kByte);
  const torch::Tensor shifted =
      ShiftRandomly(images, most, RandomSource(/*seed=*/7));
  ASSERT_EQ(shifted.sizes(), images.sizes());
  ASSERT_EQ(shifted.scalar_type(), torch::kByte);
  std::set<std::pair<int64_t, int64_t>> seen;
  for (int64_t n = 0; n < images.size(0); ++n) {
    bool found = false;
    for (int64_t down = -most; down <= most; ++down) {
      for (int64_t right = -most; right <= most; ++right) {
        if (torch::equal(shifted[n], Moved(images[n], down, right))) {
          seen.emplace(down, right);
          found = true;
        }
      }
    }
    EXPECT_TRUE(found) << n;
  }
  // Of the 25, all equally likely: fewer than 15 would be a one in a million.
  EXPECT_GE(seen.size(), 15u);
}

TEST(ShiftRandomlyTest, FollowsTheSourceAndLeavesTheImages) {
  const torch::Tensor images = torch::rand({8, 1, 6, 6});
  const torch::Tensor before = images.clone();
  const RandomSource source(3);
  const torch::Tensor first = ShiftRandomly(images, 1, source);
  EXPECT_TRUE(torch::equal(first, ShiftRandomly(images, 1, RandomSource(3))));
  EXPECT_FALSE(torch::equal(first, ShiftRandomly(images, 1, source)));
  EXPECT_TRUE(torch::equal(ShiftRandomly(images, 0, source), images));
  EXPECT_TRUE(torch::equal(images, before));
}

TEST(ShiftRandomlyTest, RefusesWhatAreNoImages) {
  EXPECT_THROW(ShiftRandomly(torch::rand({8, 36}), 1, RandomSource(0)),
               c10::Error);
  EXPECT_THROW(ShiftRandomly(torch::rand({8, 1, 6, 6}), -1, RandomSource(0)),
               c10::Error);
}

}  // namespace
}  // namespace lipschitz
