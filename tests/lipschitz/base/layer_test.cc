#include "lipschitz/base/layer.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;

class SilentLayer : public LayerImpl {
 public:
  SilentLayer() : LayerImpl("Silent") {}
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
};

class TableLayer : public LayerImpl {
 public:
  explicit TableLayer(BoundTable table)
      : LayerImpl("Table"), table_(std::move(table)) {}
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
  absl::StatusOr<BoundTable> LipschitzBounds() override { return table_; }

 private:
  BoundTable table_;
};

TEST(Layer, WithoutABoundIsAnErrorAndNeverOne) {
  SilentLayer layer;
  EXPECT_TRUE(FailsWith(layer.LipschitzBounds(),
                        StatusCode::kFailedPrecondition, {"'Silent'"}));
  for (Norm norm : kAllNorms) {
    EXPECT_TRUE(FailsWith(layer.LipschitzBound(norm),
                          StatusCode::kFailedPrecondition, {"'Silent'"}));
  }
}

TEST(Layer, AnswersWithTheEntryOfItsTable) {
  BoundTable table;
  table.Set(Norm::kL2, Norm::kLinf, 2.5);
  table.Set(Norm::kLinf, Norm::kLinf, 0.0);
  TableLayer layer(table);
  const auto bound = layer.LipschitzBound(Norm::kL2, Norm::kLinf);
  ASSERT_TRUE(bound.ok()) << bound.status();
  EXPECT_EQ(*bound, 2.5);
  const auto zero = layer.LipschitzBound(Norm::kLinf);
  ASSERT_TRUE(zero.ok()) << zero.status();
  EXPECT_EQ(*zero, 0.0);
}

TEST(Layer, WithoutAFiniteBoundNamesTheNorms) {
  BoundTable table = BoundTable::SameNorm(1.0);
  table.Set(Norm::kL1, Norm::kL1, std::numeric_limits<double>::quiet_NaN());
  TableLayer layer(table);
  EXPECT_TRUE(FailsWith(layer.LipschitzBound(Norm::kLinf, Norm::kL2),
                        StatusCode::kFailedPrecondition,
                        {"'Table'", "from linf to l2"}));
  EXPECT_TRUE(FailsWith(layer.LipschitzBound(Norm::kL1),
                        StatusCode::kFailedPrecondition, {"from l1 to l1"}));
}

TEST(Layer, AfterAStepAndAfterTrainingDoNothingByDefault) {
  SilentLayer layer;
  layer.AfterOptimizerStep();
  layer.AfterTraining();
  const torch::Tensor x = torch::ones({2});
  EXPECT_TRUE(layer.forward(x).equal(x));
}

}  // namespace
}  // namespace lipschitz
