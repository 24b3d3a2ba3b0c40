#include "lipschitz/losses/margin.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::GradientsAgree;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

at::Tensor Targets(const std::vector<int64_t>& targets) {
  return at::tensor(targets, at::kLong);
}

TEST(LogitMarginsTest, IsTheTargetLessTheLargestOther) {
  const at::Tensor logits =
      Matrix({{2, 1, .5}, {0, 3, 1}, {-5, -7, -6}, {1, 1, 0}, {0, 1, 1}});
  EXPECT_TRUE(TensorsNear(LogitMargins(logits, Targets({0, 2, 1, 0, 0})),
                          at::tensor({1.0, -2.0, -2.0, 0.0, -1.0}, at::kDouble),
                          0));
}

TEST(LogitMarginsTest, TieHasNoMarginForEitherClass) {
  const at::Tensor logits = Matrix({{4, 4, 1}, {4, 4, 1}, {2, 2, 2}});
  EXPECT_TRUE(TensorsNear(LogitMargins(logits, Targets({0, 1, 2})),
                          at::zeros({3}, at::kDouble), 0));
}

TEST(LogitMarginsTest, BatchOfOneKeepsItsDimension) {
  const at::Tensor margins = LogitMargins(Matrix({{1, 5}}), Targets({1}));
  EXPECT_TRUE(TensorsNear(margins, at::tensor({4.0}, at::kDouble), 0));
}

TEST(LogitMarginsTest, GradientGoesToTheTargetAndOneOther) {
  at::Tensor logits = Matrix({{3, 1, 1, 0}}).requires_grad_(true);
  LogitMargins(logits, Targets({0})).sum().backward();
  const at::Tensor gradient = logits.grad();
  EXPECT_EQ(gradient[0][0].item<double>(), 1);
  EXPECT_EQ(gradient.sum().item<double>(), 0);
  EXPECT_EQ(gradient.abs().sum().item<double>(), 2);
  EXPECT_EQ(gradient[0][3].item<double>(), 0);
}

TEST(MultiMarginLossTest, GoldenValue) {
  EXPECT_DOUBLE_EQ(
      MultiMarginLoss(Matrix({{2, 1, .5}, {0, 3, 1}}), Targets({0, 2}), 1.5)
          .item<double>(),
      0.75);
}

TEST(MultiMarginLossTest, IsTheFormulaOverShapes) {
  for (const int64_t batch : {1, 2, 17}) {
    for (const int64_t classes : {2, 3, 10}) {
      const at::Tensor logits = at::randn({batch, classes}, at::kDouble);
      const at::Tensor targets = at::randint(classes, {batch}, at::kLong);
      const double margin = 0.8;
      double sum = 0;
      for (int64_t b = 0; b < batch; ++b) {
        const int64_t y = targets[b].item<int64_t>();
        for (int64_t j = 0; j < classes; ++j) {
          if (j == y) continue;
          sum += std::max(0.0, margin - logits[b][y].item<double>() +
                                   logits[b][j].item<double>());
        }
      }
      EXPECT_NEAR(MultiMarginLoss(logits, targets, margin).item<double>(),
                  sum / static_cast<double>(batch * classes), 1e-12);
    }
  }
}

// Ten classes, logits near zero: 9/10 of the margin, as in the authors' run.
TEST(MultiMarginLossTest, EqualLogitsCostTheMarginOfAllOthers) {
  EXPECT_NEAR(MultiMarginLoss(at::zeros({4, 10}), Targets({0, 3, 9, 9}), 300)
                  .item<double>(),
              270, 1e-4);
}

TEST(MultiMarginLossTest, IsZeroBeyondTheMargin) {
  at::Tensor logits = Matrix({{5, 1, 0}}).requires_grad_(true);
  const at::Tensor loss = MultiMarginLoss(logits, Targets({0}), 4);
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_GT(MultiMarginLoss(logits, Targets({0}), 4.5).item<double>(), 0);
}

TEST(MultiMarginLossTest, GradientsAgreeWithFiniteDifferences) {
  EXPECT_TRUE(GradientsAgree(
      [](const std::vector<at::Tensor>& in) {
        return MultiMarginLoss(in[0], Targets({0, 2, 1}), 1.5);
      },
      {Matrix({{2, 1, .4}, {0, 3, 1}, {.3, 4, .1}})}));
}

TEST(CarliniWagnerTest, GoldenValueAndGradient) {
  at::Tensor logits = Matrix({{-60, 0, 0}, {3, 1, 0}}).requires_grad_(true);
  const at::Tensor objective = CarliniWagnerObjective(logits, Targets({0, 0}));
  EXPECT_DOUBLE_EQ(objective.item<double>(), -26);
  objective.backward();
  EXPECT_TRUE(TensorsNear(logits.grad(), Matrix({{0, 0, 0}, {-.5, .5, 0}}), 0));
}

TEST(CarliniWagnerTest, KappaIsHowWrongAnExampleHasToBe) {
  const at::Tensor logits = Matrix({{0, 2}, {0, 6}});
  // Margins −2 and −6: with kappa 5 only the first still counts, by 3.
  EXPECT_DOUBLE_EQ(
      CarliniWagnerObjective(logits, Targets({0, 0}), 5).item<double>(), -1.5);
  EXPECT_EQ(CarliniWagnerObjective(logits, Targets({0, 0}), 0).item<double>(),
            0);
}

TEST(MarginTest, ShapesAndTypesThatDoNotFitAreErrors) {
  using Function = at::Tensor (*)(const at::Tensor&, const at::Tensor&);
  const std::vector<Function> functions = {
      [](const at::Tensor& logits, const at::Tensor& targets) {
        return LogitMargins(logits, targets);
      },
      [](const at::Tensor& logits, const at::Tensor& targets) {
        return MultiMarginLoss(logits, targets, 1);
      },
      [](const at::Tensor& logits, const at::Tensor& targets) {
        return CarliniWagnerObjective(logits, targets);
      }};
  const at::Tensor logits = at::zeros({2, 3});
  const at::Tensor targets = Targets({0, 1});
  for (const Function function : functions) {
    EXPECT_NO_THROW(function(logits, targets));
    // A single class has no other.
    EXPECT_THAT(
        [&] {
          function(at::zeros({2, 1}), targets);
        },
        ThrowsMessage<c10::Error>(HasSubstr("[2, 1]")));
    EXPECT_THROW(function(at::zeros({3}), targets), c10::Error);
    EXPECT_THROW(function(at::zeros({2, 3, 4}), targets), c10::Error);
    EXPECT_THAT(
        [&] {
          function(logits, Targets({0, 1, 2}));
        },
        ThrowsMessage<c10::Error>(HasSubstr("2 rows")));
    EXPECT_THROW(function(logits, targets.unsqueeze(1)), c10::Error);
    EXPECT_THAT([&] { function(logits, at::zeros({2})); },
                ThrowsMessage<c10::Error>(HasSubstr("int64")));
    EXPECT_THROW(function(logits, targets.to(at::kInt)), c10::Error);
    EXPECT_THROW(function(logits, Targets({0, 3})), c10::Error);
    EXPECT_THROW(function(logits, Targets({0, -1})), c10::Error);
  }
}

}  // namespace
}  // namespace lipschitz
