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
#include "lipschitz/layers/convolution.h"
#include "lipschitz/layers/image_shape.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/layers/pooling.h"
#include "lipschitz/linalg/convolution.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/networks.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::Affine;
using ::lipschitz::testing::Claiming;
using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;
using ::lipschitz::testing::TensorsNear;

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

// Against the sums of the definition in long double.
TEST(RoundedMap, ConvolutionInFloat64IsOffByItsBoundAtMost) {
  torch::manual_seed(5);
  double most = 0.0;
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    Conv2dConfig config;
    ConvolutionGeometry& geometry = config.geometry;
    geometry.in_channels = 3;
    geometry.out_channels = 4;
    geometry.kernel_height = geometry.kernel_width = 3;
    geometry.stride = 2;
    geometry.padding_mode = mode;
    geometry.padding = mode == PaddingMode::kZero ? 1 : 0;
    geometry.input_height = 8;
    geometry.input_width = 6;
    config.scale = 1.5;
    Conv2d layer(config);
    layer->to(torch::kDouble);
    layer->eval();
    const RoundedMap map = MapOf(*layer, Arithmetic::kFloat64);
    EXPECT_EQ(map.operations, 3 * 9 + 2);
    EXPECT_EQ(map.scale, 1.5);
    const torch::NoGradGuard no_grad;
    const at::Tensor x = at::randn({5, 3, 8, 6}, at::kDouble) *
                         at::pow(10.0, 3 * at::rand({5, 3, 8, 6}, at::kDouble));
    const at::Tensor y = layer->forward(x);
    EXPECT_TRUE(TensorsNear(map.apply(x), y, 1e-9));

    const at::Tensor matrix = testing::ConvolutionMatrix(
        layer->ConstrainedKernel().value(), geometry);
    const auto rows = matrix.accessor<double, 2>();
    const at::Tensor flat = x.flatten(1);
    const auto inputs = flat.accessor<double, 2>();
    const at::Tensor outputs = y.flatten(1).contiguous();
    const at::Tensor sums = map.magnitudes(x).flatten(1).contiguous();
    const int64_t pixels = matrix.size(0) / geometry.out_channels;
    for (int64_t n = 0; n < x.size(0); ++n) {
      for (int64_t r = 0; r < matrix.size(0); ++r) {
        const double bias = layer->bias[r / pixels].item<double>();
        long double exact = bias;
        for (int64_t c = 0; c < matrix.size(1); ++c) {
          exact += static_cast<long double>(rows[r][c]) *
                   static_cast<long double>(inputs[n][c]);
        }
        exact *= 1.5L;
        const double error =
            std::abs(static_cast<double>(exact - outputs[n][r].item<double>()));
        const double allowed =
            1.5 * (rounding::Gamma(map.operations) * sums[n][r].item<double>() +
                   rounding::Gamma(2.0) * std::abs(bias));
        EXPECT_LE(error, allowed);
        most = std::max(most, error / allowed);
      }
    }
    // What the tables bound.
    EXPECT_LE(map.magnitudes(x).flatten(1).norm(2, 1).max().item<double>(),
              map.magnitude.At(Norm::kL2, Norm::kL2) *
                  x.flatten(1).norm(2, 1).max().item<double>());
    EXPECT_GE(map.bias_norms[1], std::sqrt(static_cast<double>(pixels)) *
                                     layer->bias.norm().item<double>());
  }
  EXPECT_GT(most, 0.003);
}

TEST(RoundedMap, ConvolutionInFloat32IsNotKnown) {
  Conv2dConfig config;
  config.geometry.in_channels = config.geometry.out_channels = 1;
  config.geometry.kernel_height = config.geometry.kernel_width = 1;
  config.geometry.input_height = config.geometry.input_width = 2;
  config.name = "first";
  Conv2d layer(config);
  EXPECT_TRUE(FailsWith(RoundedMapOf(*layer, layer->LipschitzBounds().value(),
                                     Arithmetic::kFloat32),
                        absl::StatusCode::kFailedPrecondition,
                        {"'first'", "float32", "float64"}));
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
