#include "lipschitz/certify/pairwise_constant.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/certify/dual_norms.h"
#include "lipschitz/certify/network_parts.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/sequential.h"
#include "tests/testing/networks.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Affine;
using ::lipschitz::testing::Chain;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::RandomMlp;
using ::lipschitz::testing::TensorsNear;

TEST(DualNormsTest, AreThoseOfTheConjugateExponents) {
  const at::Tensor norms = DualNorms(Matrix({{3, -4}, {0, 0}}));
  EXPECT_TRUE(TensorsNear(norms, Matrix({{4, 5, 7}, {0, 0, 0}}), 1e-12));
  EXPECT_GE(norms[0][1].item<double>(), 5.0);
  EXPECT_TRUE(
      TensorsNear(VectorNorms(Matrix({{3, -4}})), Matrix({{7, 5, 4}}), 1e-12));
}

TEST(DualNormsTest, SurviveTinyAndHugeEntries) {
  EXPECT_GE(VectorNorms(Matrix({{1e-200, 1e-200}}))[0][1].item<double>(),
            1.4e-200);
  EXPECT_GE(VectorNorms(Matrix({{1e200, 1e200}}))[0][1].item<double>(),
            1.4e200);
}

TEST(DualNormsTest, OfPairsAreSymmetricWithAZeroDiagonal) {
  torch::manual_seed(0);
  const at::Tensor rows = at::randn({5, 7}, at::kDouble);
  const at::Tensor pairs = PairDualNorms(rows);
  EXPECT_TRUE(pairs.equal(pairs.transpose(0, 1)));
  EXPECT_EQ(pairs.diagonal().abs().max().item<double>(), 0.0);
  EXPECT_NEAR(pairs[1][3][1].item<double>(),
              (rows[1] - rows[3]).norm().item<double>(), 1e-12);
}

TEST(PairwiseConstantTest, OfALinearClassifierAreDualNorms) {
  const at::Tensor weight = Matrix({{1, 2}, {0, 0}, {-1, 0.5}});
  Sequential network = Chain({Affine(weight, {}, 0.5).ptr()});
  const auto l2 = BoundPairs(*network, Norm::kL2);
  const auto linf = BoundPairs(*network, Norm::kLinf);
  ASSERT_TRUE(l2.ok() && linf.ok());
  for (int64_t y = 0; y < 3; ++y) {
    for (int64_t j = 0; j < 3; ++j) {
      const at::Tensor difference = 0.5 * (weight[y] - weight[j]);
      const double euclidean = difference.norm().item<double>();
      EXPECT_NEAR(l2->pairwise[y][j].item<double>(), euclidean, 1e-9);
      EXPECT_GE(l2->pairwise[y][j].item<double>(), euclidean);
      EXPECT_NEAR(linf->pairwise[y][j].item<double>(),
                  difference.abs().sum().item<double>(), 1e-9);
    }
  }
}

TEST(PairwiseConstantTest, AreAtMostTheNaiveOnes) {
  for (int64_t seed = 0; seed < 10; ++seed) {
    Sequential network = RandomMlp(
        seed, {4, 10, 10, 5}, ActivationSpec::MaxMin(),
        seed % 2 == 0 ? ConstraintKind::kNone : ConstraintKind::kLinfProjection,
        3.0);
    for (Norm norm : kAllNorms) {
      const auto constants = BoundPairs(*network, norm);
      ASSERT_TRUE(constants.ok());
      EXPECT_LE(constants->pairwise.max().item<double>(), constants->naive);
      const double factor = norm == Norm::kL1   ? 1.0
                            : norm == Norm::kL2 ? std::sqrt(2.0)
                                                : 2.0;
      EXPECT_LE(constants->naive, factor * constants->network * (1 + 1e-12));
    }
  }
}

TEST(PairwiseConstantTest, BoundTheGradientsOfLogitDifferences) {
  for (int64_t seed = 0; seed < 5; ++seed) {
    Sequential network = RandomMlp(seed, {4, 8, 8, 3}, ActivationSpec::MaxMin(),
                                   ConstraintKind::kNone);
    network->to(torch::kDouble);
    network->eval();
    for (int64_t i = 0; i < 10; ++i) {
      const at::Tensor jacobian = testing::Jacobian(
          [&](const at::Tensor& x) { return network->forward(x); },
          at::rand({4}, at::kDouble));
      const at::Tensor gradient = jacobian[0] - jacobian[2];
      EXPECT_LE(gradient.norm().item<double>(),
                BoundPairs(*network, Norm::kL2)->pairwise[0][2].item<double>());
      EXPECT_LE(
          gradient.abs().sum().item<double>(),
          BoundPairs(*network, Norm::kLinf)->pairwise[0][2].item<double>());
    }
  }
}

class DoublingImpl : public LinearImpl {
 public:
  using LinearImpl::LinearImpl;
  torch::Tensor forward(const torch::Tensor& x) override {
    return 2 * LinearImpl::forward(x);
  }
};

TEST(NetworkPartsTest, NestedContainersAreFlattenedAndDerivedOnesKeptWhole) {
  Sequential inner =
      Chain({std::make_shared<ActivationImpl>(ActivationSpec::MaxMin()),
             Affine(Matrix({{1, 0}, {0, 1}})).ptr()});
  Sequential network =
      Chain({Affine(Matrix({{1, 0}, {0, 1}})).ptr(), inner.ptr()});
  const NetworkParts parts = SplitNetwork(*network);
  EXPECT_EQ(parts.body.size(), 2u);
  EXPECT_NE(parts.head, nullptr);

  LinearConfig config;
  config.in_features = 2;
  config.out_features = 2;
  DoublingImpl doubling(config);
  const NetworkParts whole = SplitNetwork(doubling);
  EXPECT_EQ(whole.head, nullptr);
  ASSERT_EQ(whole.body.size(), 1u);
  EXPECT_EQ(whole.body[0], &doubling);
}

}  // namespace
}  // namespace lipschitz
