// How a convolution is bounded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/kernel_constraint.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/polar.h"

namespace lipschitz {

enum class ConvolutionConstraintKind {
  // The raw kernel itself.
  kNone,
  // Reshaped kernel orthonormalisation: the kernel as a matrix (out_channels,
  // in_channels · height · width) with orthonormal rows or columns, divided by
  // √(⌈height/stride⌉ ⌈width/stride⌉). No pixel is in more windows than that
  // product, so that the windows together are at most its root longer than the
  // image and the map is 1-Lipschitz in l2, whatever the padding. Where windows
  // do not overlap the map is orthogonal.
  kRko,
  // Rows of that matrix projected on the L1 ball: 1-Lipschitz from linf to
  // linf, and exactly the norm of the map where a window is inside the image.
  kRkoLinf,
  // The kernel over the spectral norm of the map, which is estimated by power
  // iteration with the convolution itself during training (not with the
  // flattened kernel, whose norm is another); in evaluation divided by the
  // proven upper bound instead.
  kSpectral,
  // Orthogonal for circular padding, of any size: AOC (OrthogonalMethod).
  kOrthogonal,
  // Alternatives to it.
  kBcop,
  kSeparable,
};

// "none", "rko", "rko_linf", "spectral", "orthogonal", "bcop", "separable".
std::string ConvolutionConstraintName(ConvolutionConstraintKind kind);
absl::StatusOr<ConvolutionConstraintKind> ParseConvolutionConstraint(
    const std::string& name);
std::vector<std::string> ConvolutionConstraintNames();

struct ConvolutionConstraintOptions {
  ConvolutionConstraintKind kind = ConvolutionConstraintKind::kOrthogonal;

  // For kRko: how the flattened kernel is orthonormalised; kBjorck, kStiefel or
  // kPolar, with their options.
  ConstraintOptions flattened = [] {
    ConstraintOptions options;
    options.kind = ConstraintKind::kPolar;
    return options;
  }();
  // For kSpectral: steps of the power iteration in every training forward.
  int power_iterations = 1;
  // For kSpectral: divide the raw kernel by its norm after every step, see
  // ConstraintOptions.
  bool rescale_raw = true;
  // For the orthogonal kinds: of the matrices that the kernel is made of.
  PolarOptions polar;

  // Whether the constraint has a kernel of this (valid) geometry.
  absl::Status Validate(const ConvolutionGeometry& geometry) const;
};

absl::StatusOr<std::shared_ptr<KernelConstraint>> MakeKernelConstraint(
    const ConvolutionConstraintOptions& options,
    const ConvolutionGeometry& geometry);

}  // namespace lipschitz
