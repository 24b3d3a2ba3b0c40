#include "lipschitz/base/same_bits.h"

#include <ATen/ATen.h>

#include <limits>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

TEST(SameBits, SeesEveryEntry) {
  const at::Tensor x = at::arange(24, at::kFloat).reshape({4, 6});
  for (const bool transposed : {false, true}) {
    for (int64_t i = 0; i < 24; ++i) {
      at::Tensor y = x.clone();
      const at::Tensor a = transposed ? x.t() : x;
      const at::Tensor b = transposed ? y.t() : y;
      EXPECT_TRUE(SameBits(a, b));
      y.view({24})[i] += 0.5;
      EXPECT_FALSE(SameBits(a, b)) << i;
    }
  }
}

TEST(SameBits, SeesWhatTheVersionCounterMisses) {
  at::Tensor x = at::ones({3});
  const at::Tensor before = x.clone();
  x.data().mul_(2);
  EXPECT_FALSE(SameBits(x, before));
}

TEST(SameBits, NeedsTheSameShapeAndType) {
  const at::Tensor x = at::zeros({2, 3});
  EXPECT_FALSE(SameBits(x, at::zeros({3, 2})));
  EXPECT_FALSE(SameBits(x, at::zeros({6})));
  EXPECT_FALSE(SameBits(x, at::zeros({2, 3}, at::kDouble)));
  EXPECT_TRUE(SameBits(at::zeros({0}), at::zeros({0})));
}

TEST(SameBits, IsAboutBitsAndNotValues) {
  const at::Tensor none =
      at::full({2}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(SameBits(none, none.clone()));
  EXPECT_FALSE(SameBits(at::zeros({2}), -at::zeros({2})));
}

}  // namespace
}  // namespace lipschitz
