#include "lipschitz/linalg/convolution_norm_bound.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/rounding.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/block_banded.h"
#include "lipschitz/linalg/lanczos.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/torus_norm.h"
#include "lipschitz/linalg/upward_norms.h"
#include "lipschitz/linalg/zero_padded_gram.h"

namespace lipschitz {
namespace {

using rounding::SumUp;
using rounding::Up;

// How far a torus' bound lies above its norm: as near as matters, at no price.
constexpr double kTorusGap = 1e-10;
// Of Lanczos' method: the estimate of the norm is then within some 1e-4.
constexpr int kLanczosSteps = 60;

absl::Status CheckKernel(const at::Tensor& kernel,
                         const ConvolutionGeometry& geometry) {
  const char* what = "convolution norm bounds";
  LIPSCHITZ_RETURN_IF_ERROR(WithContext(geometry.Validate(), what));
  if (!kernel.defined()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": no kernel"));
  }
  const std::vector<int64_t> shape = {
      geometry.out_channels, geometry.in_channels, geometry.kernel_height,
      geometry.kernel_width};
  if (kernel.sizes() != at::IntArrayRef(shape)) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": the geometry asks for a kernel (", shape[0], ", ", shape[1],
        ", ", shape[2], ", ", shape[3], "), got ", ShapeString(kernel)));
  }
  return CheckMatrix(kernel.detach().flatten(1),
                     absl::StrCat(what, ", kernel as (out, in·height·width)"));
}

// Which of the kernel's rows (or columns) touch the image, in one direction.
struct Reach {
  at::Tensor by_output;  // (output, kernel): 1 where it lies inside
  at::Tensor by_input;   // (input, kernel): 1 where some output uses it so
};

Reach ReachOf(int64_t input, int64_t output, int64_t kernel,
              const ConvolutionGeometry& geometry) {
  const bool circular = geometry.padding_mode == PaddingMode::kCircular;
  // Where a circular image begins only permutes its rows.
  const int64_t before = circular ? 0 : geometry.padding;
  Reach reach = {at::zeros({output, kernel}, at::kDouble),
                 at::zeros({input, kernel}, at::kDouble)};
  auto by_output = reach.by_output.accessor<double, 2>();
  auto by_input = reach.by_input.accessor<double, 2>();
  for (int64_t p = 0; p < output; ++p) {
    for (int64_t a = 0; a < kernel; ++a) {
      int64_t r = geometry.stride * p + a - before;
      if (circular) r %= input;
      if (r < 0 || r >= input) continue;
      by_output[p][a] = 1.0;
      by_input[r][a] = 1.0;
    }
  }
  return reach;
}

// The sums over the kernel's entries that touch the image, at every pixel:
// (channels, height, width) from (channels, kernel height, kernel width).
at::Tensor SumsOver(const at::Tensor& vertical, const at::Tensor& values,
                    const at::Tensor& horizontal) {
  return at::matmul(at::matmul(vertical, values), horizontal.t());
}

// The least size of a torus on which what wraps around meets padding only.
int64_t TorusSize(int64_t input, const ConvolutionGeometry& geometry) {
  const int64_t size = input + geometry.padding;
  return (size + geometry.stride - 1) / geometry.stride;
}

double SpectralUp(const at::Tensor& kernel, const ConvolutionGeometry& geometry,
                  const ConvolutionNormOptions& options) {
  const at::Tensor polyphase = PolyphaseKernel(kernel, geometry.stride);
  if (geometry.padding_mode == PaddingMode::kCircular) {
    const Torus torus = {geometry.input_height / geometry.stride,
                         geometry.input_width / geometry.stride};
    return TorusConvolution(polyphase, torus).NormUpperBound(kTorusGap);
  }
  // A twist moves the frequencies by half of their distance, which is better
  // where the largest norm lies between them.
  const int64_t height = TorusSize(geometry.input_height, geometry);
  const int64_t width = TorusSize(geometry.input_width, geometry);
  TorusConvolution best(polyphase, {height, width});
  for (const Torus& torus :
       {Torus{height, width, true, false}, Torus{height, width, false, true},
        Torus{height, width, true, true}}) {
    TorusConvolution other(polyphase, torus);
    if (other.NormEstimate() < best.NormEstimate()) best = other;
  }
  const BlockBandedGram gram = ZeroPaddedGram(kernel, geometry);
  if (gram.Operations() > options.max_operations) {
    return best.NormUpperBound(kTorusGap);
  }
  const std::vector<int64_t> shape = {
      1, geometry.in_channels, geometry.input_height, geometry.input_width};
  const double below = std::sqrt(std::max(
      0.0,
      LargestEigenvalueEstimate(
          [&](const at::Tensor& x) {
            return ConvolveTransposed(
                       Convolve(x.reshape(shape), kernel, geometry), kernel,
                       geometry)
                .reshape({-1});
          },
          geometry.in_channels * geometry.input_height * geometry.input_width,
          kLanczosSteps)));
  double gap = options.relative_gap / 2.0;
  while (below > 0.0 && below * (1.0 + gap) < best.NormEstimate()) {
    const double root = below * (1.0 + gap);
    const double square = LargestEigenvalueAtMost(gram, root * root);
    if (std::isfinite(square)) return Up(std::sqrt(square));
    gap *= 4.0;
  }
  return best.NormUpperBound(kTorusGap);
}

BoundTable TableOf(const at::Tensor& kernel, const Reach& vertical,
                   const Reach& horizontal, double spectral) {
  const at::Tensor magnitude = kernel.abs();
  const at::Tensor squares = magnitude.square();
  const auto at_outputs = [&](const at::Tensor& values) {
    return SumsOver(vertical.by_output, values.sum(1), horizontal.by_output);
  };
  const auto at_inputs = [&](const at::Tensor& values) {
    return SumsOver(vertical.by_input, values.sum(0), horizontal.by_input);
  };
  const at::Tensor row_sums = at_outputs(magnitude);
  const at::Tensor row_squares = at_outputs(squares);
  const double rows = static_cast<double>(row_sums.numel());
  // Terms of a row, of a column, with the additions of zeros.
  const double row_terms =
      static_cast<double>(kernel.size(1) * kernel.size(2) * kernel.size(3));
  const double column_terms =
      static_cast<double>(kernel.size(0) * kernel.size(2) * kernel.size(3));
  const double columns = static_cast<double>(kernel.size(1)) *
                         static_cast<double>(vertical.by_input.size(0) *
                                             horizontal.by_input.size(0));
  const auto root = [](double square) { return Up(std::sqrt(square)); };
  const auto largest = [](const at::Tensor& sums, double terms) {
    return SumUp(sums.max().item<double>(), terms);
  };

  BoundTable table;
  // From l1: the largest column in the norm of the output.
  table.Set(Norm::kL1, Norm::kL1, largest(at_inputs(magnitude), column_terms));
  table.Set(Norm::kL1, Norm::kL2,
            root(largest(at_inputs(squares), column_terms)));
  table.Set(Norm::kL1, Norm::kLinf, magnitude.max().item<double>());
  // To linf: the largest row in the dual of the norm of the input.
  table.Set(Norm::kL2, Norm::kLinf, root(largest(row_squares, row_terms)));
  table.Set(Norm::kLinf, Norm::kLinf, largest(row_sums, row_terms));
  table.Set(Norm::kL2, Norm::kL2, spectral);
  // The rest through ‖·‖₁ ≤ √n ‖·‖₂ and ‖·‖₂ ≤ √n ‖·‖_∞, or row by row. The
  // tiny constant covers squares that underflowed.
  const double row_lengths =
      SumUp((row_squares + row_terms * 5e-324).sqrt().sum().item<double>(),
            rows + row_terms);
  table.Set(Norm::kL2, Norm::kL1,
            std::min(row_lengths, Up(Up(std::sqrt(rows)) * spectral)));
  const double row_sum_squares =
      SumUp(row_sums.square().sum().item<double>(), rows + 2.0 * row_terms);
  table.Set(
      Norm::kLinf, Norm::kL2,
      std::min(root(row_sum_squares), Up(Up(std::sqrt(columns)) * spectral)));
  table.Set(Norm::kLinf, Norm::kL1,
            SumUp(row_sums.sum().item<double>(), rows + row_terms));
  return table;
}

}  // namespace

absl::StatusOr<BoundTable> ConvolutionNormBounds(
    const at::Tensor& kernel, const ConvolutionGeometry& geometry,
    const ConvolutionNormOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(CheckKernel(kernel, geometry));
  return CatchTorch("convolution norm bounds", [&]() -> BoundTable {
    c10::NoGradGuard no_grad;
    const Reach vertical =
        ReachOf(geometry.input_height, geometry.OutputHeight(),
                geometry.kernel_height, geometry);
    const Reach horizontal =
        ReachOf(geometry.input_width, geometry.OutputWidth(),
                geometry.kernel_width, geometry);
    // Entries that never touch a small image have no part in the map.
    const at::Tensor used =
        at::outer(vertical.by_output.amax(0), horizontal.by_output.amax(0));
    at::Tensor values =
        (kernel.detach().to(at::kCPU, at::kDouble) * used).contiguous();
    // Exactly zero, where rounding upwards would not be.
    if (values.abs().max().item<double>() == 0.0) {
      return BoundTable().Times(0.0);
    }
    const int exponent = ScaleExponent(values);
    values = values * std::ldexp(1.0, -exponent);
    return TableOf(values, vertical, horizontal,
                   SpectralUp(values, geometry, options))
        .Times(std::ldexp(1.0, exponent));
  });
}

}  // namespace lipschitz
