#include "lipschitz/losses/dual_wasserstein.h"

#include <ATen/ATen.h>

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::GradientsAgree;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(DualWassersteinTest, IsTheDifferenceOfTheMeans) {
  const at::Tensor p = at::tensor({1.0, 2.0, 6.0}, at::kDouble);
  const at::Tensor q = at::tensor({-1.0, 2.0}, at::kDouble).reshape({2, 1});
  EXPECT_DOUBLE_EQ(DualWassersteinObjective(p, q).item<double>(), 2.5);
  EXPECT_DOUBLE_EQ(DualWassersteinLoss(p, q).item<double>(), -2.5);
  EXPECT_EQ(DualWassersteinObjective(p, q).dim(), 0);
}

// The critic |x| on the ends of an interval and on its middle: W1 is 1.
TEST(DualWassersteinTest, KnownCriticGivesTheKnownDistance) {
  const at::Tensor ends = at::tensor({-1.0, 1.0, 1.0, -1.0}, at::kDouble);
  const at::Tensor middle = at::zeros({7}, at::kDouble);
  EXPECT_DOUBLE_EQ(
      DualWassersteinObjective(ends.abs(), middle.abs()).item<double>(), 1.0);
  // A translation by 3 and the critic x.
  const at::Tensor x = at::linspace(0, 1, 11, at::kDouble);
  EXPECT_NEAR(DualWassersteinObjective(x + 3, x).item<double>(), 3, 1e-14);
}

TEST(DualWassersteinTest, GradientIsThatOfTheMeans) {
  const std::vector<at::Tensor> inputs = {at::randn({4, 1}, at::kDouble),
                                          at::randn({3, 1}, at::kDouble)};
  EXPECT_TRUE(GradientsAgree(
      [](const std::vector<at::Tensor>& in) {
        return DualWassersteinLoss(in[0], in[1]);
      },
      inputs));
  at::Tensor p = at::zeros({4}).requires_grad_(true);
  DualWassersteinLoss(p, at::zeros({2})).backward();
  EXPECT_TRUE(at::equal(p.grad(), at::full({4}, -0.25)));
}

TEST(DualWassersteinTest, EmptyBatchIsAnErrorWithBothNumbers) {
  const at::Tensor none = at::zeros({0, 1});
  const at::Tensor some = at::zeros({3, 1});
  EXPECT_THAT([&] { DualWassersteinObjective(none, some); },
              ThrowsMessage<c10::Error>(HasSubstr("got 0 and 3")));
  EXPECT_THAT([&] { DualWassersteinLoss(some, none); },
              ThrowsMessage<c10::Error>(HasSubstr("got 3 and 0")));
}

}  // namespace
}  // namespace lipschitz
