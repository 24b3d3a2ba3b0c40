#include "lipschitz/linalg/convolution_norm_bound.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/norm_bound.h"

namespace lipschitz {

absl::StatusOr<BoundTable> ConvolutionNormBounds(
    const at::Tensor& kernel, const ConvolutionGeometry& geometry) {
  LIPSCHITZ_RETURN_IF_ERROR(geometry.Validate());
  return CatchTorch("convolution bounds", [&]() -> absl::StatusOr<BoundTable> {
    c10::NoGradGuard no_grad;
    const ConvolutionGeometry& g = geometry;
    const int64_t columns = g.in_channels * g.input_height * g.input_width;
    const int64_t rows = g.out_channels * g.OutputHeight() * g.OutputWidth();
    if (rows * columns > (int64_t{1} << 24)) {
      return absl::UnimplementedError(
          absl::StrCat("convolution bounds: the matrix of this convolution, ",
                       rows, "×", columns, ", is too large"));
    }
    const at::Tensor images =
        at::eye(columns, at::kDouble)
            .reshape({columns, g.in_channels, g.input_height, g.input_width});
    return OperatorNormBounds(
        Convolve(images, kernel.detach().to(at::kDouble), g)
            .reshape({columns, rows})
            .t()
            .contiguous());
  });
}

}  // namespace lipschitz
