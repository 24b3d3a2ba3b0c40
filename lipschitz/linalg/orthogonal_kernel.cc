#include "lipschitz/linalg/orthogonal_kernel.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/block_convolution.h"

namespace lipschitz {
namespace {

constexpr int64_t kRows = 2;
constexpr int64_t kColumns = 3;

// One pair of projectors per row and column beyond the first.
std::vector<int64_t> Dimensions(int64_t rows, int64_t columns, bool in_turn) {
  std::vector<int64_t> dimensions;
  while (rows > 0 || columns > 0) {
    if (rows > 0) {
      dimensions.push_back(kRows);
      --rows;
      if (!in_turn) continue;
    }
    if (columns > 0) {
      dimensions.push_back(kColumns);
      --columns;
    }
  }
  return dimensions;
}

absl::StatusOr<OrthogonalKernelPlan> PlanOnBlocks(
    const ConvolutionGeometry& geometry) {
  const ConvolutionGeometry& g = geometry;
  if (g.kernel_height % g.stride != 0 || g.kernel_width % g.stride != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a bcop kernel's height and width must be multiples of the stride, ",
        g.stride, ", got ", g.kernel_height, "×", g.kernel_width,
        "; the method 'orthogonal' has every size from the stride on"));
  }
  OrthogonalKernelPlan plan;
  plan.geometry = g;
  plan.block = g.stride;
  plan.in = g.in_channels * g.stride * g.stride;
  plan.out = g.out_channels;
  plan.height = g.kernel_height / g.stride;
  plan.width = g.kernel_width / g.stride;
  plan.dimensions =
      Dimensions(plan.height - 1, plan.width - 1, /*in_turn=*/true);
  return plan;
}

absl::StatusOr<OrthogonalKernelPlan> PlanWithStridedPart(
    const ConvolutionGeometry& geometry, bool in_turn) {
  const ConvolutionGeometry& g = geometry;
  OrthogonalKernelPlan plan;
  plan.geometry = g;
  plan.in = g.in_channels;
  plan.out = g.out_channels;
  plan.strided = g.stride > 1;
  if (plan.strided) {
    plan.strided_height = std::min(g.stride, g.kernel_height);
    plan.strided_width = std::min(g.stride, g.kernel_width);
    // Of the strided part's columns, per channel.
    const int64_t window = plan.strided_height * plan.strided_width;
    if (window < g.stride * g.stride &&
        g.out_channels > g.in_channels * window) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a kernel of ", g.kernel_height, "×", g.kernel_width,
          " does not reach every pixel with the stride ", g.stride,
          ": an orthogonal one has at most ", g.in_channels * window,
          " output channels (in_channels times ", window, "), got ",
          g.out_channels));
    }
    // Both parts have orthonormal columns, or both orthonormal rows; within
    // that, as many channels as there can be.
    plan.out = std::max(g.in_channels, g.out_channels / window);
  }
  plan.height = g.kernel_height - plan.strided_height + 1;
  plan.width = g.kernel_width - plan.strided_width + 1;
  plan.unstrided = !plan.strided || plan.height > 1 || plan.width > 1;
  plan.dimensions = Dimensions(plan.height - 1, plan.width - 1, in_turn);
  if (!plan.unstrided) plan.out = g.in_channels;
  return plan;
}

// The part of stride 1, (out, in, height, width).
at::Tensor UnstridedKernel(const OrthogonalKernelFactors& factors,
                           const OrthogonalKernelPlan& plan) {
  // (channels, smaller side, h, w).
  at::Tensor kernel = factors.pointwise.unsqueeze(2).unsqueeze(3);
  std::array<bool, 4> reversed = {};
  for (size_t i = 0; i < plan.dimensions.size(); ++i) {
    const int64_t dimension = plan.dimensions[i];
    // Every other pair is reversed: for an odd number of channels the ranks are
    // then balanced, and a single channel stays in the middle.
    kernel = FollowByProjectors(kernel, factors.bases[static_cast<int64_t>(i)],
                                dimension, reversed[dimension]);
    reversed[dimension] = !reversed[dimension];
  }
  // Transposing every tap turns orthonormal columns into orthonormal rows.
  return plan.in > plan.out ? kernel.transpose(0, 1) : kernel;
}

}  // namespace

std::array<int64_t, 2> OrthogonalKernelPlan::PointwiseShape() const {
  return {std::max(in, out), std::min(in, out)};
}

std::array<int64_t, 3> OrthogonalKernelPlan::BasesShape() const {
  const int64_t channels = std::max(in, out);
  return {static_cast<int64_t>(dimensions.size()), channels, channels / 2};
}

std::array<int64_t, 2> OrthogonalKernelPlan::StridedShape() const {
  return {geometry.out_channels, out * strided_height * strided_width};
}

absl::StatusOr<OrthogonalKernelPlan> PlanOrthogonalKernel(
    OrthogonalMethod method, const ConvolutionGeometry& geometry) {
  LIPSCHITZ_RETURN_IF_ERROR(geometry.Validate());
  if (method == OrthogonalMethod::kBcop) return PlanOnBlocks(geometry);
  return PlanWithStridedPart(geometry,
                             /*in_turn=*/method == OrthogonalMethod::kAoc);
}

at::Tensor OrthogonalKernel(const OrthogonalKernelFactors& factors,
                            const OrthogonalKernelPlan& plan) {
  const ConvolutionGeometry& g = plan.geometry;
  if (plan.block > 1) {
    // Channel (i, a, b) of the blocks is pixel (a, b) of channel i.
    return UnstridedKernel(factors, plan)
        .reshape({g.out_channels, g.in_channels, plan.block, plan.block,
                  plan.height, plan.width})
        .permute({0, 1, 4, 2, 5, 3})
        .reshape(
            {g.out_channels, g.in_channels, g.kernel_height, g.kernel_width});
  }
  if (!plan.strided) return UnstridedKernel(factors, plan);
  const at::Tensor strided = factors.strided.reshape(
      {g.out_channels, plan.out, plan.strided_height, plan.strided_width});
  return plan.unstrided
             ? BlockConvolution(strided, UnstridedKernel(factors, plan))
             : strided;
}

}  // namespace lipschitz
