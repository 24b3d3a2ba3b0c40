#include "lipschitz/linalg/convolution_norm_bound.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/lanczos.h"
#include "lipschitz/linalg/norm_bound.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::ConvolutionMatrix;
using lipschitz::testing::FailsWith;
using lipschitz::testing::SingularValues;

// What the SVD of the reference rounds.
constexpr double kReferenceSlack = 5e-15;

at::Tensor RandomKernel(const ConvolutionGeometry& g) {
  return at::randn(
      {g.out_channels, g.in_channels, g.kernel_height, g.kernel_width},
      at::kDouble);
}

std::string Describe(const ConvolutionGeometry& g) {
  return absl::StrCat(g.in_channels, "→", g.out_channels, " channels, kernel ",
                      g.kernel_height, "×", g.kernel_width, ", stride ",
                      g.stride, ", ", PaddingModeName(g.padding_mode), " ",
                      g.padding, ", image ", g.input_height, "×",
                      g.input_width);
}

class RandomGeometry {
 public:
  explicit RandomGeometry(unsigned seed) : generator_(seed) {}

  ConvolutionGeometry Next() {
    while (true) {
      ConvolutionGeometry g;
      g.in_channels = Draw(1, 3);
      g.out_channels = Draw(1, 3);
      g.kernel_height = Draw(1, 5);
      g.kernel_width = Draw(1, 5);
      g.stride = Draw(1, 3);
      g.padding_mode =
          Draw(0, 2) == 0 ? PaddingMode::kCircular : PaddingMode::kZero;
      g.padding = g.padding_mode == PaddingMode::kZero ? Draw(0, 2) : 0;
      g.input_height = Draw(1, 7);
      g.input_width = Draw(1, 7);
      if (g.Validate().ok()) return g;
    }
  }

 private:
  int64_t Draw(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(generator_);
  }

  std::mt19937 generator_;
};

bool IsExact(Norm in, Norm out) {
  return in == Norm::kL1 || out == Norm::kLinf;
}

// Against the matrix: from l2 to l2 against its singular values, the pairs that
// have a closed form, and the rest, against those of the matrix.
void ExpectBoundsOfTheMatrix(const at::Tensor& kernel,
                             const ConvolutionGeometry& g, double tightness) {
  const auto bounds = ConvolutionNormBounds(kernel, g);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  const at::Tensor matrix = ConvolutionMatrix(kernel, g);
  const double norm = SingularValues(matrix)[0].item<double>();
  EXPECT_GE(bounds->At(Norm::kL2, Norm::kL2), norm * (1 - kReferenceSlack))
      << Describe(g);
  EXPECT_LE(bounds->At(Norm::kL2, Norm::kL2), norm * (1 + tightness))
      << Describe(g);
  const BoundTable reference = OperatorNormBounds(matrix).value();
  for (const Norm in : kAllNorms) {
    for (const Norm out : kAllNorms) {
      if (in == Norm::kL2 && out == Norm::kL2) continue;
      const double expected = reference.At(in, out);
      const double bound = bounds->At(in, out);
      const std::string what =
          absl::StrCat(NormName(in), " to ", NormName(out), ", ", Describe(g));
      // Both are above the same number, by their rounding, or by how tight they
      // are where they follow from the norm from l2 to l2.
      EXPECT_GE(bound, expected * (1 - (IsExact(in, out) ? 1e-13 : 1e-8)))
          << what;
      EXPECT_LE(bound,
                expected * (1 + (IsExact(in, out) ? 1e-13 : tightness + 1e-8)))
          << what;
    }
  }
}

TEST(ConvolutionNormBounds, HoldForRandomShapesAndAreTight) {
  RandomGeometry random(1);
  at::manual_seed(1);
  for (int trial = 0; trial < 400; ++trial) {
    const ConvolutionGeometry g = random.Next();
    at::Tensor kernel = RandomKernel(g);
    if (trial % 3 == 1) kernel = kernel.abs();
    if (trial % 5 == 2) kernel = kernel.to(at::kFloat);
    ExpectBoundsOfTheMatrix(
        kernel, g, g.padding_mode == PaddingMode::kCircular ? 1e-9 : 1e-3);
  }
}

// Of the closed form itself, so that a fault that both tables share shows.
TEST(ConvolutionNormBounds, ExactPairsAreThoseOfRowsAndColumns) {
  RandomGeometry random(2);
  at::manual_seed(2);
  for (int trial = 0; trial < 100; ++trial) {
    const ConvolutionGeometry g = random.Next();
    const at::Tensor kernel = RandomKernel(g);
    const at::Tensor matrix = ConvolutionMatrix(kernel, g).abs();
    const BoundTable bounds = ConvolutionNormBounds(kernel, g).value();
    const auto expect = [&](Norm in, Norm out, const at::Tensor& norms) {
      const double expected = norms.max().item<double>();
      EXPECT_GE(bounds.At(in, out), expected * (1 - 1e-15)) << Describe(g);
      EXPECT_LE(bounds.At(in, out), expected * (1 + 1e-13)) << Describe(g);
    };
    expect(Norm::kL1, Norm::kL1, matrix.sum(0));
    expect(Norm::kL1, Norm::kL2, matrix.square().sum(0).sqrt());
    expect(Norm::kL1, Norm::kLinf, matrix);
    expect(Norm::kL2, Norm::kLinf, matrix.square().sum(1).sqrt());
    expect(Norm::kLinf, Norm::kLinf, matrix.sum(1));
  }
}

TEST(ConvolutionNormBounds, HoldOnTheTorusAlone) {
  RandomGeometry random(3);
  at::manual_seed(3);
  ConvolutionNormOptions options;
  options.max_operations = 0.0;
  for (int trial = 0; trial < 300; ++trial) {
    const ConvolutionGeometry g = random.Next();
    const at::Tensor kernel = RandomKernel(g);
    const double norm =
        SingularValues(ConvolutionMatrix(kernel, g))[0].item<double>();
    const double bound =
        ConvolutionNormBounds(kernel, g, options)->At(Norm::kL2, Norm::kL2);
    EXPECT_GE(bound, norm * (1 - kReferenceSlack)) << Describe(g);
  }
}

TEST(ConvolutionNormBounds, KeepTheNormOfPermutations) {
  // A kernel whose reshaped matrix is orthonormal and whose stride is its size
  // permutes and rotates patches: the norm is 1, on every padding.
  at::manual_seed(4);
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    const auto svd = at::linalg_svd(at::randn({8, 8}, at::kDouble));
    const at::Tensor kernel = std::get<0>(svd).reshape({8, 2, 2, 2});
    ConvolutionGeometry g = {2, 8, 2, 2, 2, mode, 0, 8, 6};
    const double bound =
        ConvolutionNormBounds(kernel, g)->At(Norm::kL2, Norm::kL2);
    EXPECT_GE(bound, 1 - 1e-15);
    EXPECT_LE(bound, 1 + 1e-9);
  }
}

// The norm of an n × n section of the sums of three neighbours is known: the
// eigenvalues of a path are 1 + 2 cos(π j / (n + 1)).
TEST(ConvolutionNormBounds, OfABoxFilterAreTightThoughTheTorusIsNot) {
  const double pi = std::acos(-1.0);
  for (const int64_t size : {1, 2, 5, 12, 28}) {
    ConvolutionGeometry g = {1, 1, 3, 3, 1, PaddingMode::kZero, 1, size, size};
    const at::Tensor kernel = at::ones({1, 1, 3, 3});
    const double norm =
        std::pow(1 + 2 * std::cos(pi / static_cast<double>(size + 1)), 2);
    const double bound =
        ConvolutionNormBounds(kernel, g)->At(Norm::kL2, Norm::kL2);
    EXPECT_GE(bound, norm * (1 - 1e-14)) << size;
    EXPECT_LE(bound, norm * (1 + 3e-4)) << size;
    g.padding_mode = PaddingMode::kCircular;
    g.padding = 0;
    if (!g.Validate().ok()) continue;
    const double circular =
        ConvolutionNormBounds(kernel, g)->At(Norm::kL2, Norm::kL2);
    EXPECT_GE(circular, 9.0) << size;
    EXPECT_LE(circular, 9.0 * (1 + 1e-9)) << size;
  }
}

TEST(ConvolutionNormBounds, AreWithinAPercentForTheLayersOfKnownNetworks) {
  at::manual_seed(5);
  const PaddingMode zero = PaddingMode::kZero;
  for (const ConvolutionGeometry& g :
       std::vector<ConvolutionGeometry>{{1, 10, 5, 5, 1, zero, 0, 28, 28},
                                        {10, 20, 5, 5, 1, zero, 0, 12, 12},
                                        {1, 64, 4, 4, 2, zero, 1, 28, 28},
                                        {64, 128, 4, 4, 2, zero, 1, 14, 14},
                                        {3, 64, 4, 4, 2, zero, 1, 32, 32},
                                        {64, 128, 4, 4, 2, zero, 1, 16, 16},
                                        {32, 32, 3, 3, 1, zero, 1, 7, 7},
                                        {32, 32, 3, 3, 1, zero, 1, 14, 14},
                                        {32, 32, 3, 3, 1, zero, 1, 28, 28}}) {
    const at::Tensor kernel = RandomKernel(g);
    const double below = std::sqrt(LargestEigenvalueEstimate(
        [&](const at::Tensor& x) {
          const at::Tensor image =
              x.reshape({1, g.in_channels, g.input_height, g.input_width});
          return ConvolveTransposed(Convolve(image, kernel, g), kernel, g)
              .reshape({-1});
        },
        g.in_channels * g.input_height * g.input_width, 80));
    const double bound =
        ConvolutionNormBounds(kernel, g)->At(Norm::kL2, Norm::kL2);
    EXPECT_GE(bound, below * (1 - 1e-13)) << Describe(g);
    EXPECT_LE(bound, below * 1.01) << Describe(g);
  }
}

TEST(ConvolutionNormBounds, HoldAtEveryScale) {
  at::manual_seed(6);
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    ConvolutionGeometry g = {2, 3, 3, 3, 1, mode, 0, 5, 6};
    const at::Tensor kernel = RandomKernel(g);
    const BoundTable one = ConvolutionNormBounds(kernel, g).value();
    for (const int exponent : {-1000, -600, -100, 100, 600, 1000}) {
      const BoundTable scaled =
          ConvolutionNormBounds(kernel * std::ldexp(1.0, exponent), g).value();
      for (const Norm in : kAllNorms) {
        for (const Norm out : kAllNorms) {
          EXPECT_NEAR(
              std::ldexp(scaled.At(in, out), -exponent) / one.At(in, out), 1.0,
              1e-12)
              << exponent;
        }
      }
    }
  }
}

TEST(ConvolutionNormBounds, HoldForSubnormalEntries) {
  ConvolutionGeometry g = {1, 1, 1, 2, 1, PaddingMode::kZero, 0, 1, 2};
  const double least = std::numeric_limits<double>::denorm_min();
  const at::Tensor kernel =
      at::tensor({3 * least, 4 * least}, at::kDouble).reshape({1, 1, 1, 2});
  const double bound =
      ConvolutionNormBounds(kernel, g)->At(Norm::kL2, Norm::kL2);
  EXPECT_GE(bound, 5 * least);
  EXPECT_LE(bound, 8 * least);
}

TEST(ConvolutionNormBounds, IgnoreEntriesThatNeverTouchTheImage) {
  // One pixel: of a padded 3 × 3 kernel it sees the middle.
  ConvolutionGeometry g = {1, 2, 3, 3, 1, PaddingMode::kZero, 1, 1, 1};
  at::Tensor kernel = at::full({2, 1, 3, 3}, 1e6, at::kDouble);
  kernel[0][0][1][1] = 3.0;
  kernel[1][0][1][1] = -4.0;
  const BoundTable bounds = ConvolutionNormBounds(kernel, g).value();
  const auto near = [&](Norm in, Norm out, double value) {
    EXPECT_GE(bounds.At(in, out), value);
    EXPECT_LE(bounds.At(in, out), value * (1 + 1e-3));
  };
  near(Norm::kL2, Norm::kL2, 5.0);
  near(Norm::kL1, Norm::kL1, 7.0);
  near(Norm::kL1, Norm::kLinf, 4.0);
  near(Norm::kLinf, Norm::kLinf, 4.0);
  near(Norm::kLinf, Norm::kL1, 7.0);
  kernel.select(2, 1).select(2, 1).zero_();
  const BoundTable none = ConvolutionNormBounds(kernel, g).value();
  for (const Norm in : kAllNorms) {
    for (const Norm out : kAllNorms) EXPECT_EQ(none.At(in, out), 0.0);
  }
}

TEST(ConvolutionNormBounds, OfAZeroKernelAreZero) {
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    ConvolutionGeometry g = {2, 3, 3, 3, 1, mode, 0, 5, 6};
    const BoundTable bounds =
        ConvolutionNormBounds(at::zeros({3, 2, 3, 3}), g).value();
    for (const Norm in : kAllNorms) {
      for (const Norm out : kAllNorms) EXPECT_EQ(bounds.At(in, out), 0.0);
    }
  }
}

TEST(ConvolutionNormBounds, TakeKernelsThatRequireGradients) {
  ConvolutionGeometry g = {2, 3, 3, 3, 1, PaddingMode::kZero, 1, 5, 6};
  const at::Tensor kernel = at::randn({3, 2, 3, 3}).requires_grad_(true);
  EXPECT_TRUE(ConvolutionNormBounds(kernel, g).ok());
  // And views of them in another order of the dimensions.
  const at::Tensor other = kernel.detach().permute({2, 3, 1, 0}).contiguous();
  EXPECT_EQ(ConvolutionNormBounds(other.permute({3, 2, 0, 1}), g)
                ->At(Norm::kL2, Norm::kL2),
            ConvolutionNormBounds(kernel, g)->At(Norm::kL2, Norm::kL2));
}

TEST(ConvolutionNormBounds, BadArgumentsAreErrorsWithTheNumbers) {
  ConvolutionGeometry g = {2, 3, 3, 3, 1, PaddingMode::kZero, 1, 5, 6};
  EXPECT_TRUE(FailsWith(ConvolutionNormBounds(at::ones({3, 2, 3, 4}), g),
                        StatusCode::kInvalidArgument,
                        {"(3, 2, 3, 3)", "(3, 2, 3, 4)"}));
  EXPECT_TRUE(FailsWith(ConvolutionNormBounds(at::ones({3, 2}), g),
                        StatusCode::kInvalidArgument, {"(3, 2)"}));
  EXPECT_TRUE(FailsWith(ConvolutionNormBounds(at::Tensor(), g),
                        StatusCode::kInvalidArgument, {"no kernel"}));
  EXPECT_TRUE(
      FailsWith(ConvolutionNormBounds(at::ones({3, 2, 3, 3}, at::kLong), g),
                StatusCode::kInvalidArgument, {"Long"}));
  at::Tensor infinite = at::ones({3, 2, 3, 3});
  infinite[1][0][0][2] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(FailsWith(ConvolutionNormBounds(infinite, g),
                        StatusCode::kInvalidArgument, {"1 of 54", "(1, 2)"}));
  g.padding = -1;
  EXPECT_TRUE(FailsWith(ConvolutionNormBounds(at::ones({3, 2, 3, 3}), g),
                        StatusCode::kInvalidArgument, {"-1"}));
}

}  // namespace
}  // namespace lipschitz
