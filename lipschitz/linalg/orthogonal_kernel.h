// Kernels whose convolution is orthogonal: for images that continue around
// their edges every singular value is 1. With zeros around the image the map is
// the same on a larger image, restricted, so that none is above 1.
//
// With fewer outputs than inputs (out_channels < stride² in_channels) the rows
// of the map are orthonormal, else its columns: gradients, or images, keep
// their length.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

enum class OrthogonalMethod {
  // Block convolution orthogonal parameterisation (Q. Li et al., "Preventing
  // Gradient Attenuation in Lipschitz Constrained Convolutional Networks",
  // NeurIPS 2019): an orthonormal matrix at every pixel, then for every row and
  // column that the kernel has beyond the first a pair of projectors on
  // complements, of half the rank, rows and columns in turn. A stride s acts on
  // the image of s×s blocks, so that it must divide the kernel's height and
  // width.
  kBcop,
  // Adaptive orthogonal convolution (T. Boissin et al., "An Adaptive Orthogonal
  // Convolution Scheme for Efficient and Flexible CNN Architectures", ICML
  // 2025): as BCOP for stride 1; a stride s is left to a last kernel of size
  // s×s, which does not overlap itself, after one of size k − s + 1. Any kernel
  // and stride s ≤ k.
  kAoc,
  // As AOC, but with the projectors of all rows before those of all columns: a
  // product of two convolutions in one dimension each (J. Su, W. Byeon, F.
  // Huang, "Scaling-up Diverse Orthogonal Convolutional Networks by a
  // Paraunitary Framework", ICML 2022).
  kSeparable,
};

// Which orthonormal matrices a kernel is made of.
struct OrthogonalKernelPlan {
  // The part of stride 1: in → out channels, height × width. `in` counts the
  // pixels of a block as channels when `block` is above 1.
  int64_t in = 0;
  int64_t out = 0;
  int64_t height = 1;
  int64_t width = 1;
  // Whether there is such a part.
  bool unstrided = true;
  // The dimensions (2: rows, 3: columns) of the pairs of projectors, in the
  // order of their application.
  std::vector<int64_t> dimensions;
  // The part that does not overlap itself, (out_channels, out,
  // strided_height, strided_width).
  bool strided = false;
  int64_t strided_height = 1;
  int64_t strided_width = 1;
  // The side of the blocks that make channels.
  int64_t block = 1;
  // Of the whole.
  ConvolutionGeometry geometry;

  // (rows, columns) of the matrix at every pixel: the larger side first.
  std::array<int64_t, 2> PointwiseShape() const;
  // (pairs, channels, rank) of the bases of the projectors' ranges.
  std::array<int64_t, 3> BasesShape() const;
  // (rows, columns) of the flattened strided kernel.
  std::array<int64_t, 2> StridedShape() const;
};

// InvalidArgument, with the sizes that would do, where the method has no kernel
// of this geometry.
absl::StatusOr<OrthogonalKernelPlan> PlanOrthogonalKernel(
    OrthogonalMethod method, const ConvolutionGeometry& geometry);

// Matrices with orthonormal rows or columns, in the shapes that the plan says.
struct OrthogonalKernelFactors {
  at::Tensor pointwise;  // undefined without a part of stride 1
  at::Tensor bases;      // columns are orthonormal; undefined without pairs
  at::Tensor strided;    // undefined without such a part
};

// The kernel (out_channels, in_channels, kernel_height, kernel_width) of the
// plan's geometry. Differentiable in every factor.
at::Tensor OrthogonalKernel(const OrthogonalKernelFactors& factors,
                            const OrthogonalKernelPlan& plan);

}  // namespace lipschitz
