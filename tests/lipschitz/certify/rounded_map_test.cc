#include "lipschitz/certify/rounded_map.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/layers/image_shape.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/pooling.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Affine;
using ::lipschitz::testing::Claiming;
using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;

RoundedMap MapOf(LayerImpl& layer, Arithmetic arithmetic) {
  const auto map =
      RoundedMapOf(layer, layer.LipschitzBounds().value(), arithmetic);
  EXPECT_TRUE(map.ok()) << map.status();
  return *map;
}

TEST(RoundedMap, LayersThatMoveOrChooseEntriesAreExact) {
  torch::manual_seed(1);
  const at::Tensor flat = at::randn({3, 2 * 6 * 8}, at::kDouble);
  const at::Tensor images = flat.reshape({3, 2, 6, 8});
  const auto expect = [](LayerImpl& layer, const at::Tensor& x) {
    for (const Arithmetic arithmetic :
         {Arithmetic::kFloat64, Arithmetic::kFloat32}) {
      const RoundedMap map = MapOf(layer, arithmetic);
      EXPECT_EQ(map.operations, 0.0) << layer.name();
      EXPECT_TRUE(map.apply(x).equal(layer.forward(x))) << layer.name();
      // In float32 too: on float32 numbers nothing is rounded.
      const at::Tensor narrow = x.to(at::kFloat);
      EXPECT_TRUE(layer.forward(narrow)
                      .to(at::kDouble)
                      .equal(map.apply(narrow.to(at::kDouble))))
          << layer.name();
    }
  };
  expect(*ToImage(ToImageConfig{2, 6, 8}), flat);
  expect(*Flatten(), images);
  expect(*SpaceToDepth(SpaceToDepthConfig{2}), images);
  expect(*MaxPool2d(MaxPool2dConfig{{3, 2}}), images);
  expect(*Activation(ActivationSpec::MaxMin(), 1), images);
  expect(*Activation(ActivationSpec::FullSort(), 1), images);
  expect(*Activation(ActivationSpec::CRelu(), -1), flat);
}

// |computed − exact| ≤ γ scale |T| |h|, entry by entry, with T h in float64 for
// a computation in float32.
TEST(RoundedMap, AveragePoolIsOffByItsBoundAtMost) {
  torch::manual_seed(2);
  double most = 0.0;
  for (const PoolWindows& windows :
       std::vector<PoolWindows>{{2, 2}, {3, 2}, {5, 1}, {7, 7}}) {
    for (const bool scaled : {false, true}) {
      AveragePool2d layer(AveragePool2dConfig{windows, scaled});
      const RoundedMap map = MapOf(*layer, Arithmetic::kFloat32);
      EXPECT_GT(map.operations, 0.0);
      for (int trial = 0; trial < 20; ++trial) {
        // Three decades, and both signs.
        const at::Tensor x =
            at::randn({4, 3, 9, 9}) * at::pow(10.0, 3 * at::rand({4, 3, 9, 9}));
        const at::Tensor wide = x.to(at::kDouble);
        const at::Tensor error =
            (layer->forward(x).to(at::kDouble) - map.apply(wide)).abs();
        const at::Tensor allowed =
            map.magnitudes(wide) *
            (map.scale *
             rounding::Gamma(map.operations, rounding::kFloat32Unit));
        EXPECT_TRUE((error <= allowed).all().item<bool>());
        most = std::max(most, (error / allowed).max().item<double>());
        // The sums of the magnitudes, as the table bounds them.
        EXPECT_LE(map.magnitudes(wide).max().item<double>(),
                  map.magnitude.At(Norm::kLinf, Norm::kLinf) *
                      wide.abs().max().item<double>() * (1 + 1e-12));
        EXPECT_TRUE((map.apply(wide).abs() <=
                     map.magnitudes(wide) * map.scale * (1 + 1e-12))
                        .all()
                        .item<bool>());
      }
    }
  }
  // A bound that is never nearly reached would be of no use.
  EXPECT_GT(most, 0.03);
}

TEST(RoundedMap, LinearIsItsWeightBiasAndScale) {
  torch::manual_seed(3);
  Linear layer = Affine(at::randn({4, 6}), at::randn({4}), 1.5);
  layer->eval();
  const RoundedMap map = MapOf(*layer, Arithmetic::kFloat32);
  const at::Tensor x = at::randn({5, 6});
  const at::Tensor wide = x.to(at::kDouble);
  const torch::NoGradGuard no_grad;
  EXPECT_LE((layer->forward(x).to(at::kDouble) - map.apply(wide))
                .abs()
                .max()
                .item<double>(),
            1e-5);
  EXPECT_EQ(map.operations, 8.0);
  EXPECT_EQ(map.scale, 1.5);
  EXPECT_GE(map.bias_norms[0],
            layer->bias.to(at::kDouble).abs().sum().item<double>());
  const at::Tensor sums =
      at::mm(wide.abs(), layer->weight.to(at::kDouble).abs().t());
  EXPECT_TRUE((map.magnitudes(wide) >= sums).all().item<bool>());
  EXPECT_TRUE((map.magnitudes(wide) <= sums * (1 + 1e-12)).all().item<bool>());
}

TEST(RoundedMap, DoesNotReferToTheLayer) {
  torch::manual_seed(4);
  const at::Tensor x = at::randn({5, 6}, at::kDouble);
  LinearConfig config;
  config.in_features = 6;
  config.out_features = 4;
  auto layer = std::make_unique<LinearImpl>(config);
  layer->eval();
  const RoundedMap map = MapOf(*layer, Arithmetic::kFloat64);
  const at::Tensor before = map.apply(x);
  {
    const torch::NoGradGuard no_grad;
    layer->weight.zero_();
    layer->bias.zero_();
  }
  layer.reset();
  EXPECT_TRUE(map.apply(x).equal(before));
}

TEST(RoundedMap, OtherLayersAreErrorsThatNameThem) {
  Claiming claiming(Affine(Matrix({{1}, {2}})).ptr(), 1.0);
  EXPECT_TRUE(
      FailsWith(RoundedMapOf(claiming, BoundTable(), Arithmetic::kFloat64),
                absl::StatusCode::kFailedPrecondition, {"claiming"}));
  Activation across(ActivationSpec::MaxMin(), 0);
  EXPECT_TRUE(
      FailsWith(RoundedMapOf(*across, BoundTable(), Arithmetic::kFloat64),
                absl::StatusCode::kFailedPrecondition, {"maxmin", "0"}));
}

}  // namespace
}  // namespace lipschitz
