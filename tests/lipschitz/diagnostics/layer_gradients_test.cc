#include "lipschitz/diagnostics/layer_gradients.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/chain.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::Affine;
using testing::Chain;
using testing::FailsWith;
using testing::Jacobian;
using testing::Matrix;
using testing::RandomMlp;
using testing::TensorsNear;

TEST(LayerGradientsTest, ByHand) {
  // 3 relu(2 x) − 4 relu(−x).
  Sequential network =
      Chain({Affine(Matrix({{2}, {-1}})).ptr(),
             std::make_shared<ActivationImpl>(ActivationSpec::Relu()),
             Affine(Matrix({{3, -4}})).ptr()});
  const auto layers =
      LayerGradients(*network, Matrix({{1}, {-1}}).to(at::kFloat));
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_EQ(layers->size(), 4u);
  const std::vector<std::string> names = {"input", "layer0", "layer1",
                                          "layer2"};
  // At 1 the first unit is active, at −1 the second one.
  const at::Tensor norms = Matrix({{6, 4}, {3, 4}, {5, 5}, {1, 1}});
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ((*layers)[i].layer, names[i]);
    EXPECT_TRUE(TensorsNear((*layers)[i].norms, norms[i], 1e-6));
  }
  EXPECT_DOUBLE_EQ((*layers)[0].mean, 5.0);
  EXPECT_DOUBLE_EQ((*layers)[0].min, 4.0);
  EXPECT_DOUBLE_EQ((*layers)[0].max, 6.0);
  EXPECT_TRUE(network->parameters()[0].grad().defined() == false);
}

TEST(LayerGradientsTest, AreThoseOfTheRestOfTheNetwork) {
  for (const ActivationSpec& activation :
       {ActivationSpec::Relu(), ActivationSpec::GroupSort(4),
        ActivationSpec::MaxOut()}) {
    Sequential network = RandomMlp(1, {6, 8, 8, 3}, activation);
    network->to(at::kDouble);
    network->eval();
    const at::Tensor x = at::randn({4, 6}, at::kDouble);
    const at::Tensor targets = at::tensor(std::vector<int64_t>{2, 0, 1, 2});
    for (const Norm norm : kAllNorms) {
      const auto layers = LayerGradients(*network, x, targets, norm);
      ASSERT_TRUE(layers.ok()) << layers.status();
      const auto chain = ChainOf(*network);
      ASSERT_EQ(layers->size(), chain.size() + 1);
      const double dual = norm == Norm::kL1   ? INFINITY
                          : norm == Norm::kL2 ? 2.0
                                              : 1.0;
      for (int64_t b = 0; b < 4; ++b) {
        at::Tensor value = x.narrow(0, b, 1);
        for (size_t i = 0; i <= chain.size(); ++i) {
          const at::Tensor rest = Jacobian(
              [&](const at::Tensor& from) {
                at::Tensor y = from;
                for (size_t j = i; j < chain.size(); ++j) {
                  y = chain[j].layer->forward(y);
                }
                return y.select(1, targets[b].item<int64_t>());
              },
              value);
          EXPECT_NEAR((*layers)[i].norms[b].item<double>(),
                      rest.norm(dual).item<double>(), 1e-12);
          if (i < chain.size()) value = chain[i].layer->forward(value).detach();
        }
      }
    }
  }
}

TEST(LayerGradientsTest, StayOneWhereNothingIsLost) {
  Sequential network = RandomMlp(2, {8, 8, 8, 8, 1}, ActivationSpec::MaxMin(),
                                 ConstraintKind::kPolar);
  network->eval();
  const auto layers = LayerGradients(*network, at::randn({20, 8}));
  ASSERT_TRUE(layers.ok()) << layers.status();
  for (const LayerGradient& layer : *layers) {
    EXPECT_NEAR(layer.min, 1.0, 1e-5) << layer.layer;
    EXPECT_NEAR(layer.max, 1.0, 1e-5) << layer.layer;
  }
}

TEST(LayerGradientsTest, SayWhatIsWrong) {
  using absl::StatusCode;
  Sequential network = RandomMlp(3, {4, 6, 3}, ActivationSpec::MaxMin());
  const at::Tensor x = at::randn({2, 4});
  EXPECT_TRUE(FailsWith(LayerGradients(*network, x),
                        StatusCode::kInvalidArgument, {"3 outputs"}));
  EXPECT_TRUE(FailsWith(
      LayerGradients(*network, x, at::tensor(std::vector<int64_t>{0, 3})),
      StatusCode::kInvalidArgument, {"from 0 to 3", "0 to 2"}));
  EXPECT_TRUE(FailsWith(LayerGradients(*network, x, at::zeros({3}, at::kLong)),
                        StatusCode::kInvalidArgument,
                        {"2 int64", "3 of type Long"}));
  EXPECT_TRUE(FailsWith(LayerGradients(*network, at::randn({0, 4})),
                        StatusCode::kInvalidArgument, {"at least one"}));
  EXPECT_TRUE(FailsWith(LayerGradients(*network, at::randn({2, 5})),
                        StatusCode::kInternal, {"linear1"}));
}

}  // namespace
}  // namespace lipschitz
