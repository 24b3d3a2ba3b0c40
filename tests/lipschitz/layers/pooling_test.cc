#include "lipschitz/layers/pooling.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/norm_bound.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::GradientsAgree;
using lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::vector<PoolWindows> kWindows = {{1, 1}, {2, 2}, {3, 3}, {2, 3},
                                           {2, 1}, {3, 2}, {3, 1}, {5, 2},
                                           {1, 2}, {4, 3}};

std::string Describe(const PoolWindows& windows) {
  return "kernel " + std::to_string(windows.kernel) + ", stride " +
         std::to_string(windows.stride);
}

double NormOf(const at::Tensor& x, Norm norm) {
  const double p = norm == Norm::kL1 ? 1.0
                   : norm == Norm::kL2
                       ? 2.0
                       : std::numeric_limits<double>::infinity();
  return x.norm(p).item<double>();
}

// The largest ratio seen stays below the bound for every pair.
void ExpectBoundsHold(LayerImpl& layer, const std::string& what) {
  const BoundTable bounds = layer.LipschitzBounds().value();
  for (int trial = 0; trial < 60; ++trial) {
    const at::Tensor x = at::randn({1, 2, 11, 12}, at::kDouble);
    at::Tensor step = at::randn({1, 2, 11, 12}, at::kDouble);
    // One pixel, a constant, or everything at once.
    if (trial % 3 == 0) step = step * (at::rand({1, 2, 11, 12}) < 0.02);
    if (trial % 3 == 1) step = at::ones_like(step);
    if (trial % 2 == 0) step = step * 100.0;
    if (step.abs().max().item<double>() == 0.0) continue;
    const at::Tensor moved = layer.forward(x + step) - layer.forward(x);
    for (const Norm in : kAllNorms) {
      for (const Norm out : kAllNorms) {
        EXPECT_LE(NormOf(moved, out),
                  bounds.At(in, out) * NormOf(step, in) * (1 + 1e-12))
            << what << ", " << NormName(in) << " to " << NormName(out);
      }
    }
  }
}

TEST(MaxPool2d, TakesTheLargestOfEveryWindow) {
  at::manual_seed(1);
  for (const PoolWindows& windows : kWindows) {
    MaxPool2d layer(MaxPool2dConfig{windows});
    const at::Tensor x = at::randn({2, 3, 8, 9});
    const at::Tensor y = layer->forward(x);
    const int64_t height = (8 - windows.kernel) / windows.stride + 1;
    const int64_t width = (9 - windows.kernel) / windows.stride + 1;
    ASSERT_EQ(y.sizes(), at::IntArrayRef({2, 3, height, width}))
        << Describe(windows);
    for (int64_t p = 0; p < height; ++p) {
      for (int64_t q = 0; q < width; ++q) {
        const at::Tensor window =
            x.narrow(2, p * windows.stride, windows.kernel)
                .narrow(3, q * windows.stride, windows.kernel);
        EXPECT_TRUE(y.select(2, p).select(2, q).equal(window.amax({2, 3})));
      }
    }
  }
}

TEST(MaxPool2d, BoundsHold) {
  at::manual_seed(2);
  for (const PoolWindows& windows : kWindows) {
    MaxPool2d layer(MaxPool2dConfig{windows});
    ExpectBoundsHold(*layer, Describe(windows));
  }
}

TEST(MaxPool2d, BoundsAreAttainedByAPixelInEveryWindow) {
  for (const PoolWindows& windows : kWindows) {
    MaxPool2d layer(MaxPool2dConfig{windows});
    const BoundTable bounds = layer->LipschitzBounds().value();
    double most = 0.0;
    for (int64_t r = 0; r < 12; ++r) {
      at::Tensor x = at::zeros({1, 1, 12, 12}, at::kDouble);
      x[0][0][r][r] = 1.0;
      most = std::max(most, layer->forward(x).sum().item<double>());
    }
    EXPECT_EQ(bounds.At(Norm::kL1, Norm::kL1), most) << Describe(windows);
    EXPECT_EQ(bounds.At(Norm::kL2, Norm::kL2), std::sqrt(most));
    EXPECT_EQ(bounds.At(Norm::kL1, Norm::kL2), std::sqrt(most));
    EXPECT_EQ(bounds.At(Norm::kLinf, Norm::kLinf), 1.0);
    EXPECT_EQ(bounds.At(Norm::kL1, Norm::kLinf), 1.0);
    EXPECT_EQ(bounds.At(Norm::kL2, Norm::kLinf), 1.0);
  }
}

TEST(MaxPool2d, IsOneLipschitzInEveryNormWithoutOverlap) {
  for (const PoolWindows& windows :
       std::vector<PoolWindows>{{1, 1}, {2, 2}, {2, 3}, {4, 4}}) {
    MaxPool2d layer(MaxPool2dConfig{windows});
    for (const Norm norm : kAllNorms) {
      EXPECT_EQ(layer->LipschitzBound(norm).value(), 1.0);
    }
  }
}

TEST(Pooling, GradientsMatchFiniteDifferences) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({1, 2, 5, 6}, at::kDouble);
  for (const PoolWindows& windows :
       std::vector<PoolWindows>{{2, 2}, {3, 2}, {2, 1}}) {
    MaxPool2d largest(MaxPool2dConfig{windows});
    AveragePool2d mean(AveragePool2dConfig{windows, /*scaled=*/true});
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return largest->forward(in[0]).square(); }, {x}));
    EXPECT_TRUE(GradientsAgree(
        [&](const auto& in) { return mean->forward(in[0]).square(); }, {x}));
  }
}

// The mean as a convolution of one channel.
at::Tensor MeanMatrix(const PoolWindows& windows, double scale, int64_t size) {
  ConvolutionGeometry geometry;
  geometry.in_channels = geometry.out_channels = 1;
  geometry.kernel_height = geometry.kernel_width = windows.kernel;
  geometry.stride = windows.stride;
  geometry.input_height = geometry.input_width = size;
  const double area = static_cast<double>(windows.kernel * windows.kernel);
  return lipschitz::testing::ConvolutionMatrix(
      at::full({1, 1, windows.kernel, windows.kernel}, scale / area,
               at::kDouble),
      geometry);
}

TEST(AveragePool2d, IsTheMeanOfEveryWindow) {
  at::manual_seed(4);
  for (const PoolWindows& windows : kWindows) {
    for (const bool scaled : {false, true}) {
      AveragePool2d layer(AveragePool2dConfig{windows, scaled});
      const at::Tensor x = at::randn({2, 3, 8, 8}, at::kDouble);
      const at::Tensor expected =
          at::matmul(x.reshape({2, 3, 64}),
                     MeanMatrix(windows, layer->AppliedScale(), 8).t());
      EXPECT_TRUE(TensorsNear(layer->forward(x).reshape(expected.sizes()),
                              expected, 1e-13))
          << Describe(windows);
      EXPECT_TRUE(TensorsNear(layer->forward(x.to(at::kFloat)).to(at::kDouble),
                              layer->forward(x), 1e-5));
    }
  }
}

TEST(AveragePool2d, BoundsAreThoseOfTheMatrix) {
  for (const PoolWindows& windows : kWindows) {
    for (const bool scaled : {false, true}) {
      AveragePool2d layer(AveragePool2dConfig{windows, scaled});
      const BoundTable bounds = layer->LipschitzBounds().value();
      // Large enough for a pixel in as many windows as there can be.
      const BoundTable matrix =
          OperatorNormBounds(MeanMatrix(windows, layer->AppliedScale(), 16))
              .value();
      for (const auto& [in, out] :
           std::vector<std::pair<Norm, Norm>>{{Norm::kL1, Norm::kL1},
                                              {Norm::kL1, Norm::kL2},
                                              {Norm::kL1, Norm::kLinf},
                                              {Norm::kL2, Norm::kLinf},
                                              {Norm::kLinf, Norm::kLinf}}) {
        EXPECT_NEAR(bounds.At(in, out) / matrix.At(in, out), 1.0, 1e-12)
            << Describe(windows) << ", " << NormName(in) << " to "
            << NormName(out);
      }
      EXPECT_EQ(bounds.At(Norm::kL2, Norm::kL1),
                std::numeric_limits<double>::infinity());
    }
  }
}

// A mean over squares is one over rows after one over columns, so its norm is
// the square of theirs; of long rows it is near the supremum.
TEST(AveragePool2d, BoundFromL2ToL2IsTheSupremumOverSizes) {
  for (const PoolWindows& windows : kWindows) {
    AveragePool2d layer(AveragePool2dConfig{windows});
    const double bound = layer->LipschitzBound(Norm::kL2).value();
    double before = 0.0;
    for (const int64_t size : {10, 40, 200}) {
      const int64_t outputs = (size - windows.kernel) / windows.stride + 1;
      at::Tensor rows = at::zeros({outputs, size}, at::kDouble);
      for (int64_t p = 0; p < outputs; ++p) {
        rows[p].narrow(0, p * windows.stride, windows.kernel) +=
            1.0 / static_cast<double>(windows.kernel);
      }
      const double norm = std::pow(
          lipschitz::testing::SingularValues(rows)[0].item<double>(), 2);
      EXPECT_GE(bound, norm * (1 - 1e-14)) << Describe(windows);
      EXPECT_GE(norm, before * (1 - 1e-14)) << Describe(windows);
      before = norm;
    }
    EXPECT_LE(bound, before * 1.002) << Describe(windows);
  }
}

TEST(AveragePool2d, BoundsHold) {
  at::manual_seed(5);
  for (const PoolWindows& windows : kWindows) {
    for (const bool scaled : {false, true}) {
      AveragePool2d layer(AveragePool2dConfig{windows, scaled});
      ExpectBoundsHold(*layer, Describe(windows));
    }
  }
}

TEST(AveragePool2d, ScaledHasTheConstantOne) {
  for (const PoolWindows& windows : kWindows) {
    AveragePool2d layer(AveragePool2dConfig{windows, /*scaled=*/true});
    const double bound = layer->LipschitzBound(Norm::kL2).value();
    EXPECT_LE(bound, 1.0) << Describe(windows);
    EXPECT_GE(bound, 1.0 - 1e-7) << Describe(windows);
    if (windows.stride >= windows.kernel) {
      EXPECT_EQ(layer->AppliedScale(), static_cast<double>(windows.kernel));
      EXPECT_EQ(bound, 1.0);
    }
  }
  AveragePool2d plain(AveragePool2dConfig{{4, 4}});
  EXPECT_EQ(plain->AppliedScale(), 1.0);
  EXPECT_EQ(plain->LipschitzBound(Norm::kL2).value(), 0.25);
  EXPECT_EQ(plain->LipschitzBound(Norm::kLinf).value(), 1.0);
  EXPECT_EQ(plain->LipschitzBound(Norm::kL1).value(), 1.0 / 16);
}

TEST(Pooling, TakesAnEmptyBatch) {
  EXPECT_EQ(
      MaxPool2d(MaxPool2dConfig{})->forward(at::zeros({0, 3, 4, 4})).sizes(),
      at::IntArrayRef({0, 3, 2, 2}));
  EXPECT_EQ(AveragePool2d(AveragePool2dConfig{})
                ->forward(at::zeros({0, 3, 4, 4}))
                .sizes(),
            at::IntArrayRef({0, 3, 2, 2}));
}

TEST(Pooling, SizesThatDoNotFitAreErrorsThatNameTheLayer) {
  MaxPool2d largest(MaxPool2dConfig{{3, 2}, "pool1"});
  AveragePool2d mean(AveragePool2dConfig{{3, 2}, false, "pool2"});
  const auto run = [](LayerImpl& layer, const std::vector<int64_t>& shape) {
    return [&layer, shape] { layer.forward(at::zeros(shape)); };
  };
  EXPECT_THAT(
      run(*largest, {2, 3, 2, 5}),
      ThrowsMessage<c10::Error>(AllOf(HasSubstr("'pool1'"), HasSubstr("3×3"),
                                      HasSubstr("[2, 3, 2, 5]"))));
  EXPECT_THAT(run(*mean, {2, 3, 5, 2}),
              ThrowsMessage<c10::Error>(
                  AllOf(HasSubstr("'pool2'"), HasSubstr("[2, 3, 5, 2]"))));
  EXPECT_THAT(run(*mean, {2, 30}),
              ThrowsMessage<c10::Error>(
                  AllOf(HasSubstr("'pool2'"), HasSubstr("[2, 30]"))));
  EXPECT_TRUE(lipschitz::testing::FailsWith(
      PoolWindows({0, 2}).Validate("pool1"), absl::StatusCode::kInvalidArgument,
      {"'pool1'", "0 and 2"}));
  EXPECT_TRUE(lipschitz::testing::FailsWith(
      PoolWindows({2, int64_t{1} << 40}).Validate("pool1"),
      absl::StatusCode::kInvalidArgument, {"'pool1'", "16384"}));
  EXPECT_THROW(MaxPool2d(MaxPool2dConfig{{2, 0}}), c10::Error);
  EXPECT_THROW(AveragePool2d(AveragePool2dConfig{{-1, 2}}), c10::Error);
}

TEST(Pooling, LayersPrintTheirWindows) {
  std::ostringstream text;
  text << *MaxPool2d(MaxPool2dConfig{{3, 2}})
       << *AveragePool2d(AveragePool2dConfig{{2, 2}, true});
  EXPECT_EQ(text.str(),
            "lipschitz::MaxPool2d(kernel=3, stride=2)"
            "lipschitz::AveragePool2d(kernel=2, stride=2, scaled)");
}

}  // namespace
}  // namespace lipschitz
