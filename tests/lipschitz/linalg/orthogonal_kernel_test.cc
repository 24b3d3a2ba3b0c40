#include "lipschitz/linalg/orthogonal_kernel.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/convolution.h"
#include "tests/testing/convolution_matrix.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::ConvolutionMatrix;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<OrthogonalMethod> kMethods = {OrthogonalMethod::kBcop,
                                                OrthogonalMethod::kAoc,
                                                OrthogonalMethod::kSeparable};

ConvolutionGeometry Circular(int64_t in, int64_t out, int64_t height,
                             int64_t width, int64_t stride, int64_t rows = 6,
                             int64_t columns = 6) {
  ConvolutionGeometry g;
  g.in_channels = in;
  g.out_channels = out;
  g.kernel_height = height;
  g.kernel_width = width;
  g.stride = stride;
  g.padding_mode = PaddingMode::kCircular;
  g.input_height = rows;
  g.input_width = columns;
  return g;
}

// Orthonormal rows or columns, uniformly.
at::Tensor Orthonormal(int64_t rows, int64_t columns) {
  const at::Tensor gaussian = at::randn(
      {std::max(rows, columns), std::min(rows, columns)}, at::kDouble);
  const at::Tensor q = std::get<0>(at::linalg_qr(gaussian, "reduced"));
  return rows >= columns ? q : q.t();
}

OrthogonalKernelFactors RandomFactors(const OrthogonalKernelPlan& plan) {
  OrthogonalKernelFactors factors;
  const auto [rows, columns] = plan.PointwiseShape();
  factors.pointwise = Orthonormal(rows, columns);
  const auto [pairs, channels, rank] = plan.BasesShape();
  factors.bases = at::empty({pairs, channels, rank}, at::kDouble);
  for (int64_t i = 0; i < pairs; ++i) {
    factors.bases[i].copy_(Orthonormal(channels, rank));
  }
  const auto [strided_rows, strided_columns] = plan.StridedShape();
  factors.strided = Orthonormal(strided_rows, strided_columns);
  return factors;
}

bool HasKernel(OrthogonalMethod method, const ConvolutionGeometry& g) {
  return PlanOrthogonalKernel(method, g).ok();
}

at::Tensor RandomKernel(OrthogonalMethod method, const ConvolutionGeometry& g) {
  const auto plan = PlanOrthogonalKernel(method, g);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return OrthogonalKernel(RandomFactors(*plan), *plan);
}

::testing::AssertionResult IsOrthogonal(const at::Tensor& kernel,
                                        const ConvolutionGeometry& g) {
  const at::Tensor sigma = SingularValues(ConvolutionMatrix(kernel, g));
  return TensorsNear(sigma, at::ones_like(sigma), 1e-11);
}

TEST(OrthogonalKernelTest, EverySingularValueIsOne) {
  at::manual_seed(0);
  for (const OrthogonalMethod method : kMethods) {
    for (const auto& [in, out] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {1, 5}, {4, 1}, {3, 3}, {2, 4}, {3, 5}, {5, 2}}) {
      for (const int64_t kernel : {1, 2, 3, 4, 5}) {
        for (const int64_t stride : {1, 2, 3}) {
          const ConvolutionGeometry g =
              Circular(in, out, kernel, kernel, stride);
          if (!HasKernel(method, g)) continue;
          const at::Tensor k = RandomKernel(method, g);
          ASSERT_EQ(k.sizes(), (std::vector<int64_t>{out, in, kernel, kernel}));
          EXPECT_TRUE(IsOrthogonal(k, g))
              << static_cast<int>(method) << ": " << in << " to " << out
              << " kernel " << kernel << " stride " << stride;
        }
      }
    }
  }
}

TEST(OrthogonalKernelTest, SoItIsForKernelsThatAreNotSquare) {
  at::manual_seed(1);
  for (const OrthogonalMethod method : kMethods) {
    for (const ConvolutionGeometry& g :
         {Circular(3, 2, 1, 4, 1), Circular(2, 3, 5, 2, 1, 5, 7),
          Circular(2, 9, 4, 2, 2, 4, 8), Circular(3, 5, 2, 6, 2, 4, 6)}) {
      EXPECT_TRUE(IsOrthogonal(RandomKernel(method, g), g));
    }
    if (method == OrthogonalMethod::kBcop) continue;
    for (const ConvolutionGeometry& g :
         {Circular(2, 9, 3, 2, 2, 4, 8), Circular(4, 7, 1, 3, 2, 4, 8),
          Circular(2, 1, 5, 1, 3)}) {
      EXPECT_TRUE(IsOrthogonal(RandomKernel(method, g), g));
    }
  }
}

TEST(OrthogonalKernelTest, AocAndSeparableHaveEveryKernelFromTheStrideOn) {
  for (const OrthogonalMethod method :
       {OrthogonalMethod::kAoc, OrthogonalMethod::kSeparable}) {
    for (const int64_t stride : {1, 2, 3}) {
      for (int64_t kernel = stride; kernel <= 6; ++kernel) {
        EXPECT_TRUE(HasKernel(method, Circular(3, 40, kernel, kernel, stride)));
        EXPECT_TRUE(HasKernel(method, Circular(7, 1, kernel, kernel, stride)));
      }
    }
  }
}

TEST(OrthogonalKernelTest, UsesTheWholeKernel) {
  at::manual_seed(2);
  for (const OrthogonalMethod method : kMethods) {
    for (const ConvolutionGeometry& g :
         {Circular(4, 4, 4, 4, 1), Circular(4, 16, 4, 4, 2),
          Circular(4, 6, 4, 4, 2), Circular(1, 8, 4, 4, 1)}) {
      const at::Tensor sizes =
          RandomKernel(method, g).square().sum(1).sum(0).sqrt();
      EXPECT_GT(sizes.min().item<double>(), 1e-3);
    }
  }
}

TEST(OrthogonalKernelTest, ASingleChannelIsAShiftThatStaysInTheMiddle) {
  at::manual_seed(3);
  for (const int64_t kernel : {1, 3, 5}) {
    const ConvolutionGeometry g = Circular(1, 1, kernel, kernel, 1);
    const at::Tensor k = RandomKernel(OrthogonalMethod::kAoc, g);
    at::Tensor middle = at::zeros_like(k);
    middle[0][0][kernel / 2][kernel / 2] = 1;
    EXPECT_TRUE(TensorsNear(k.abs(), middle, 1e-12));
  }
}

TEST(OrthogonalKernelTest, WithZerosAroundTheImageNoSingularValueIsAboveOne) {
  at::manual_seed(4);
  for (const OrthogonalMethod method : kMethods) {
    for (const int64_t stride : {1, 2}) {
      for (const int64_t padding : {0, 1, 2, 3}) {
        ConvolutionGeometry g = Circular(3, 4, 4, 4, stride, 5, 7);
        g.padding_mode = PaddingMode::kZero;
        g.padding = padding;
        const at::Tensor sigma =
            SingularValues(ConvolutionMatrix(RandomKernel(method, g), g));
        EXPECT_LE(sigma.max().item<double>(), 1 + 1e-12);
        EXPECT_GE(sigma.max().item<double>(), 0.9);
      }
    }
  }
}

TEST(OrthogonalKernelTest, GradientsAgreeWithFiniteDifferences) {
  at::manual_seed(5);
  for (const OrthogonalMethod method : kMethods) {
    for (const ConvolutionGeometry& g :
         {Circular(2, 3, 2, 2, 1), Circular(3, 2, 3, 2, 1),
          Circular(1, 5, 4, 4, 2), Circular(2, 1, 4, 4, 2)}) {
      const auto plan = PlanOrthogonalKernel(method, g);
      ASSERT_TRUE(plan.ok()) << plan.status();
      const OrthogonalKernelFactors factors = RandomFactors(*plan);
      EXPECT_TRUE(GradientsAgree(
          [&](const std::vector<at::Tensor>& leaves) {
            return OrthogonalKernel({leaves[0], leaves[1], leaves[2]}, *plan);
          },
          {factors.pointwise, factors.bases, factors.strided}));
    }
  }
}

TEST(OrthogonalKernelTest, ASizeWithoutAKernelIsAnErrorThatSaysWhichHaveOne) {
  const auto message = [](OrthogonalMethod method,
                          const ConvolutionGeometry& g) {
    return std::string(PlanOrthogonalKernel(method, g).status().message());
  };
  EXPECT_THAT(message(OrthogonalMethod::kBcop, Circular(3, 4, 3, 4, 2)),
              AllOf(HasSubstr("multiples of the stride, 2"),
                    HasSubstr("got 3×4"), HasSubstr("'orthogonal'")));
  EXPECT_THAT(
      message(OrthogonalMethod::kAoc, Circular(3, 7, 1, 2, 2)),
      AllOf(HasSubstr("kernel of 1×2"), HasSubstr("stride 2"),
            HasSubstr("at most 6 output channels"), HasSubstr("got 7")));
  EXPECT_TRUE(HasKernel(OrthogonalMethod::kAoc, Circular(3, 6, 1, 2, 2)));
  // What no convolution can be.
  EXPECT_THAT(message(OrthogonalMethod::kAoc, Circular(3, 7, 2, 2, 4)),
              HasSubstr("must divide"));
  EXPECT_THAT(message(OrthogonalMethod::kAoc, Circular(3, 0, 2, 2, 1)),
              HasSubstr("3 and 0"));
}

}  // namespace
}  // namespace lipschitz
