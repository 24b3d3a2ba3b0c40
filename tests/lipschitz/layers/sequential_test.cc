#include "lipschitz/layers/sequential.h"

#include <torch/torch.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/linear.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// Says nothing about its constant.
class MysteryImpl : public LayerImpl {
 public:
  explicit MysteryImpl(const std::string& name) : LayerImpl(name) {}
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
};

// Notes what it is told.
class DiaryImpl : public LayerImpl {
 public:
  DiaryImpl(const std::string& name, std::vector<std::string>* diary)
      : LayerImpl(name), diary_(diary) {}
  torch::Tensor forward(const torch::Tensor& x) override { return x; }
  void AfterOptimizerStep() override { diary_->push_back(name() + " step"); }
  void AfterTraining() override { diary_->push_back(name() + " end"); }

 private:
  std::vector<std::string>* diary_;
};

std::shared_ptr<LinearImpl> Dense(int64_t in, int64_t out,
                                  ConstraintKind kind = ConstraintKind::kNone) {
  LinearConfig config;
  config.in_features = in;
  config.out_features = out;
  config.constraint.kind = kind;
  return std::make_shared<LinearImpl>(config);
}

std::shared_ptr<LinearImpl> DenseWith(const at::Tensor& weight) {
  auto layer = Dense(weight.size(1), weight.size(0));
  torch::NoGradGuard no_grad;
  layer->weight.copy_(weight);
  layer->bias.zero_();
  return layer;
}

std::shared_ptr<LayerImpl> MaxMinLayer() {
  return std::make_shared<ActivationImpl>(ActivationSpec::MaxMin());
}

at::Tensor RowNorms(const at::Tensor& rows, Norm norm) {
  const double p = norm == Norm::kL1 ? 1
                   : norm == Norm::kL2
                       ? 2
                       : std::numeric_limits<double>::infinity();
  return rows.norm(p, /*dim=*/1);
}

// The steepest of many slopes of `layer` between near and far points.
double LargestSlope(LayerImpl& layer, int64_t dim, Norm from, Norm to) {
  torch::NoGradGuard no_grad;
  layer.to(at::kDouble);
  layer.eval();
  torch::manual_seed(23);
  const at::Tensor x = 2 * torch::randn({4000, dim}, at::kDouble);
  at::Tensor step = torch::randn({4000, dim}, at::kDouble);
  step.slice(0, 0, 2000).mul_(1e-3);
  // Corners of the cube are the steepest directions from linf.
  step.slice(0, 2000, 3000).sign_();
  const at::Tensor change = layer.forward(x + step) - layer.forward(x);
  return (RowNorms(change, to) / RowNorms(step, from)).max().item<double>();
}

TEST(SequentialTest, AppliesItsLayersInOrder) {
  Sequential network;
  network->push_back("double", DenseWith(2 * torch::eye(2)));
  network->push_back("swap", DenseWith(Matrix({{0, 1}, {1, 0}})));
  network->push_back("first", DenseWith(Matrix({{1, 0}})));
  EXPECT_EQ(network->size(), 3u);
  EXPECT_TRUE(TensorsNear(network->forward(torch::tensor({{1.f, 5.f}})),
                          Matrix({{10}}), 0));
  EXPECT_TRUE(network->named_parameters().contains("swap.weight"));
  EXPECT_THROW(network->layer(3), std::out_of_range);
}

TEST(SequentialTest, NamesAreUnique) {
  Sequential network;
  network->push_back("a", MaxMinLayer());
  EXPECT_THROW(network->push_back("a", MaxMinLayer()), c10::Error);
}

TEST(SequentialTest, BoundIsTheProductOfTheBounds) {
  Sequential network;
  network->push_back("a", DenseWith(2 * torch::eye(4)));
  network->push_back("b", MaxMinLayer());
  network->push_back("c", DenseWith(3 * torch::eye(4)));
  network->push_back("d", DenseWith(0.5 * torch::eye(4)));
  for (const Norm norm : kAllNorms) {
    const double bound = *network->LipschitzBound(norm);
    EXPECT_GE(bound, 3.0);
    EXPECT_NEAR(bound, 3.0, 1e-8);
  }
}

TEST(SequentialTest, WithoutLayersItIsTheIdentity) {
  Sequential network;
  const at::Tensor x = torch::randn({2, 3});
  EXPECT_TRUE(torch::equal(network->forward(x), x));
  EXPECT_EQ(*network->LipschitzBound(Norm::kL2), 1.0);
}

// Another project prints a warning here and goes on with 1.0.
TEST(SequentialTest, LayerWithoutABoundMakesTheWholeAnErrorThatNamesIt) {
  auto inner = std::make_shared<SequentialImpl>("inner");
  inner->push_back("known", DenseWith(torch::eye(2)));
  inner->push_back("mystery", std::make_shared<MysteryImpl>("enigma"));
  Sequential network;
  network->push_back("first", DenseWith(torch::eye(2)));
  network->push_back("inner", inner);
  network->push_back("last", DenseWith(torch::zeros({2, 2})));
  for (LayerImpl* layer : std::vector<LayerImpl*>{inner.get(), network.get()}) {
    EXPECT_EQ(layer->LipschitzBounds().status().code(),
              absl::StatusCode::kFailedPrecondition);
    const auto bound = layer->LipschitzBound(Norm::kL2);
    ASSERT_FALSE(bound.ok());
    EXPECT_THAT(std::string(bound.status().message()), HasSubstr("'enigma'"));
  }
  Residual residual(inner);
  EXPECT_THAT(std::string(residual->LipschitzBounds().status().message()),
              HasSubstr("'enigma'"));
}

TEST(SequentialTest, BoundBetweenNormsThatIsNotKnownIsAnError) {
  Sequential network("net");
  network->push_back("a", MaxMinLayer());
  // From a larger ball to a larger norm it depends on the width.
  const auto bound = network->LipschitzBound(Norm::kLinf, Norm::kL1);
  ASSERT_FALSE(bound.ok());
  EXPECT_THAT(std::string(bound.status().message()),
              AllOf(HasSubstr("'net'"), HasSubstr("linf to l1")));
}

TEST(SequentialTest, ModeAndStepReachEveryLayer) {
  auto parseval = Dense(3, 3, ConstraintKind::kParseval);
  auto body = std::make_shared<SequentialImpl>();
  body->push_back("p", parseval);
  Sequential network;
  network->push_back("residual", std::make_shared<ResidualImpl>(body));
  network->eval();
  EXPECT_FALSE(parseval->is_training());
  network->train();
  EXPECT_TRUE(parseval->is_training());
  const at::Tensor before = parseval->weight.detach().clone();
  network->AfterOptimizerStep();
  EXPECT_TRUE(TensorsNear(parseval->weight,
                          1.5 * before - 0.5 * before.mm(before.t()).mm(before),
                          1e-6));
}

TEST(SequentialTest, StepAndEndReachEveryLayerOnceInOrder) {
  std::vector<std::string> diary;
  const auto note = [&](const std::string& name) {
    return std::make_shared<DiaryImpl>(name, &diary);
  };
  auto inner = std::make_shared<SequentialImpl>();
  inner->push_back("b", note("b"));
  inner->push_back("c", note("c"));
  auto outer = std::make_shared<SequentialImpl>();
  outer->push_back("a", note("a"));
  outer->push_back("residual", std::make_shared<ResidualImpl>(inner));
  Residual network(outer);
  network->AfterTraining();
  EXPECT_EQ(diary, (std::vector<std::string>{"a end", "b end", "c end"}));
  diary.clear();
  network->AfterOptimizerStep();
  EXPECT_EQ(diary, (std::vector<std::string>{"a step", "b step", "c step"}));
}

TEST(SequentialTest, AfterTrainingTheStoredWeightsAreOrthonormal) {
  torch::manual_seed(2);
  auto first = Dense(6, 6, ConstraintKind::kStiefel);
  auto second = Dense(6, 4, ConstraintKind::kStiefel);
  auto body = std::make_shared<SequentialImpl>();
  body->push_back("first", first);
  Sequential network;
  network->push_back("residual", std::make_shared<ResidualImpl>(body));
  network->push_back("second", second);
  {
    torch::NoGradGuard no_grad;
    first->weight.mul_(1.001);
    second->weight.mul_(0.999);
  }
  network->AfterTraining();
  for (const auto& layer : {first, second}) {
    const at::Tensor w = layer->weight.detach().to(at::kDouble);
    EXPECT_TRUE(TensorsNear(w.mm(w.t()), torch::eye(w.size(0)), 1e-6));
    EXPECT_TRUE(layer->weight.requires_grad());
  }
}

// The first layer measures the input in the 2-norm, all others work in linf.
TEST(SequentialTest, MixedNormsGiveABoundFromTheInputsNorm) {
  for (const int64_t seed : {1, 2, 3}) {
    torch::manual_seed(seed);
    Sequential network;
    network->push_back("first", Dense(5, 8, ConstraintKind::kL2ToLinf));
    network->push_back("sort1", MaxMinLayer());
    network->push_back("second", Dense(8, 8, ConstraintKind::kLinfProjection));
    network->push_back("sort2", MaxMinLayer());
    network->push_back("last", Dense(8, 1, ConstraintKind::kLinfRows));
    {
      // Long rows, so that the constraints act.
      torch::NoGradGuard no_grad;
      for (auto& parameter : network->parameters()) parameter.normal_();
    }
    const auto bound = network->LipschitzBound(Norm::kL2);
    ASSERT_TRUE(bound.ok()) << bound.status();
    EXPECT_LE(*bound, 1 + 1e-6);
    const double slope = LargestSlope(*network, 5, Norm::kL2, Norm::kL2);
    EXPECT_LE(slope, *network->LipschitzBound(Norm::kL2) * (1 + 1e-9));
    EXPECT_GT(slope, 0.05);
    // Not 1-Lipschitz from linf: the bound must not say so.
    EXPECT_GE(*network->LipschitzBound(Norm::kLinf) * (1 + 1e-9),
              LargestSlope(*network, 5, Norm::kLinf, Norm::kLinf));
  }
}

TEST(SequentialTest, BoundsAreNotBelowSampledSlopes) {
  for (const auto& activation :
       {ActivationSpec::MaxMin(), ActivationSpec::FullSort(),
        ActivationSpec::Relu(), ActivationSpec::CRelu(),
        ActivationSpec::MaxOut(3), ActivationSpec::LeakyRelu(-2)}) {
    torch::manual_seed(5);
    Sequential network;
    network->push_back("a", Dense(4, 6));
    network->push_back("b", std::make_shared<ActivationImpl>(activation));
    network->push_back("c", Dense(*activation.OutputWidth(6), 3));
    {
      torch::NoGradGuard no_grad;
      for (auto& parameter : network->parameters()) parameter.normal_();
    }
    for (const Norm from : kAllNorms) {
      for (const Norm to : kAllNorms) {
        const double slope = LargestSlope(*network, 4, from, to);
        const auto bound = network->LipschitzBound(from, to);
        ASSERT_TRUE(bound.ok()) << bound.status();
        EXPECT_LE(slope, *bound * (1 + 1e-9))
            << activation.Name() << " " << NormName(from) << " to "
            << NormName(to);
      }
    }
  }
}

TEST(ResidualTest, AddsTheInputAndOneToTheBound) {
  Residual residual(DenseWith(0.25 * torch::eye(3)));
  const at::Tensor x = torch::randn({2, 3});
  EXPECT_TRUE(TensorsNear(residual->forward(x), 1.25 * x, 1e-6));
  for (const Norm norm : kAllNorms) {
    const double bound = *residual->LipschitzBound(norm);
    EXPECT_GE(bound, 1.25);
    EXPECT_NEAR(bound, 1.25, 1e-8);
  }
  // The bound is attained, and it is not what a product would say.
  EXPECT_NEAR(LargestSlope(*residual, 3, Norm::kL2, Norm::kL2), 1.25, 1e-9);
}

TEST(ResidualTest, BodyThatChangesTheShapeIsAnErrorWithBothShapes) {
  // (2, 1) could be broadcast to (2, 3), silently.
  Residual residual(DenseWith(torch::ones({1, 3})), "shortcut");
  EXPECT_THAT(
      [&] {
        residual->forward(torch::zeros({2, 3}));
      },
      ThrowsMessage<c10::Error>(AllOf(
          HasSubstr("'shortcut'"), HasSubstr("[2, 3]"), HasSubstr("[2, 1]"))));
}

}  // namespace
}  // namespace lipschitz
