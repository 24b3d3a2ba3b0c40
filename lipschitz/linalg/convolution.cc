#include "lipschitz/linalg/convolution.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

// How many rows (columns) of a circular image are repeated before and after it.
std::pair<int64_t, int64_t> CircularPadding(int64_t kernel) {
  const int64_t before = (kernel - 1) / 2;
  return {before, kernel - 1 - before};
}

at::Tensor WrapAround(const at::Tensor& x, int64_t dimension, int64_t kernel) {
  if (kernel == 1) return x;
  const auto [before, after] = CircularPadding(kernel);
  const int64_t size = x.size(dimension);
  return at::cat({x.narrow(dimension, size - before, before), x,
                  x.narrow(dimension, 0, after)},
                 dimension);
}

// The adjoint of WrapAround: what lies outside is added to where it came from.
at::Tensor FoldBack(const at::Tensor& padded, int64_t dimension,
                    int64_t kernel) {
  if (kernel == 1) return padded;
  const auto [before, after] = CircularPadding(kernel);
  const int64_t size = padded.size(dimension) - before - after;
  const auto grown = [&](const at::Tensor& part, int64_t start) {
    std::vector<int64_t> left = part.sizes().vec();
    std::vector<int64_t> right = left;
    left[dimension] = start;
    right[dimension] = size - start - part.size(dimension);
    return at::cat({part.new_zeros(left), part, part.new_zeros(right)},
                   dimension);
  };
  return padded.narrow(dimension, before, size) +
         grown(padded.narrow(dimension, 0, before), size - before) +
         grown(padded.narrow(dimension, before + size, after), 0);
}

void CheckShape(const at::Tensor& x, int64_t channels, int64_t height,
                int64_t width) {
  TORCH_CHECK(x.dim() == 4 && x.size(1) == channels && x.size(2) == height &&
                  x.size(3) == width,
              "a convolution expected the shape (batch, ", channels, ", ",
              height, ", ", width, "), got ", x.sizes());
}

int64_t OutputSize(const ConvolutionGeometry& geometry, int64_t input,
                   int64_t kernel) {
  if (geometry.padding_mode == PaddingMode::kCircular) {
    return input / geometry.stride;
  }
  return (input + 2 * geometry.padding - kernel) / geometry.stride + 1;
}

// What at::conv2d computes, with a faster gradient for images of one channel in
// float32 on the CPU: LibTorch's takes far longer than the convolution itself.
class OneChannelConvolution
    : public torch::autograd::Function<OneChannelConvolution> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x, const at::Tensor& kernel,
                            int64_t stride, int64_t padding) {
    context->save_for_backward({x, kernel});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["kernel_needs_gradient"] = kernel.requires_grad();
    return at::conv2d(x, kernel, /*bias=*/{}, stride, padding);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& kernel = saved[1];
    const at::Tensor& delta = gradients[0];
    const int64_t stride = context->saved_data["stride"].toInt();
    const int64_t padding = context->saved_data["padding"].toInt();
    const auto rest = [&](int64_t dimension) {
      return x.size(dimension) + 2 * padding - kernel.size(dimension) -
             (delta.size(dimension) - 1) * stride;
    };
    const at::Tensor x_gradient = at::slow_conv_transpose2d(
        delta, kernel, {kernel.size(2), kernel.size(3)}, /*bias=*/{},
        {stride, stride}, {padding, padding},
        /*output_padding=*/{rest(2), rest(3)}, /*dilation=*/{1, 1});
    at::Tensor kernel_gradient;
    if (context->saved_data["kernel_needs_gradient"].toBool()) {
      kernel_gradient = std::get<1>(at::convolution_backward(
          delta, x, kernel, /*bias_sizes=*/at::OptionalIntArrayRef(),
          {stride, stride}, {padding, padding}, /*dilation=*/{1, 1},
          /*transposed=*/false,
          /*output_padding=*/{0, 0}, /*groups=*/1, {false, true, false}));
    }
    return {x_gradient, kernel_gradient, at::Tensor(), at::Tensor()};
  }
};

at::Tensor ZeroPadded(const at::Tensor& x, const at::Tensor& kernel,
                      int64_t stride, int64_t padding) {
  if (x.size(1) == 1 && x.is_cpu() && x.scalar_type() == at::kFloat &&
      x.numel() > 0 && x.requires_grad() && c10::GradMode::is_enabled()) {
    return OneChannelConvolution::apply(x, kernel, stride, padding);
  }
  return at::conv2d(x, kernel, /*bias=*/{}, stride, padding);
}

}  // namespace

std::string PaddingModeName(PaddingMode mode) {
  return mode == PaddingMode::kZero ? "zero" : "circular";
}

absl::StatusOr<PaddingMode> ParsePaddingMode(const std::string& name) {
  for (const PaddingMode mode : {PaddingMode::kZero, PaddingMode::kCircular}) {
    if (name == PaddingModeName(mode)) return mode;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown padding '", name, "'; known: zero, circular"));
}

absl::Status ConvolutionGeometry::Validate() const {
  if (in_channels < 1 || out_channels < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("in_channels and out_channels must be at least 1, got ",
                     in_channels, " and ", out_channels));
  }
  if (kernel_height < 1 || kernel_width < 1 || stride < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel and stride must be at least 1, got ",
                     kernel_height, "×", kernel_width, " and ", stride));
  }
  if (input_height < 1 || input_width < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("images must have at least one row and column, got ",
                     input_height, "×", input_width));
  }
  if (padding_mode == PaddingMode::kCircular) {
    if (padding != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "circular padding follows from the kernel; padding must be 0, got ",
          padding));
    }
    if (input_height < kernel_height || input_width < kernel_width) {
      return absl::InvalidArgumentError(
          absl::StrCat("circular padding needs images of the kernel's size (",
                       kernel_height, "×", kernel_width, ") at least, got ",
                       input_height, "×", input_width));
    }
    if (input_height % stride != 0 || input_width % stride != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("with circular padding the stride, ", stride,
                       ", must divide the image's height and width, got ",
                       input_height, "×", input_width));
    }
    return absl::OkStatus();
  }
  if (padding < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("padding must not be negative, got ", padding));
  }
  if (input_height + 2 * padding < kernel_height ||
      input_width + 2 * padding < kernel_width) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the padded image, ", input_height + 2 * padding, "×",
        input_width + 2 * padding, ", is smaller than the kernel, ",
        kernel_height, "×", kernel_width));
  }
  return absl::OkStatus();
}

int64_t ConvolutionGeometry::OutputHeight() const {
  return OutputSize(*this, input_height, kernel_height);
}

int64_t ConvolutionGeometry::OutputWidth() const {
  return OutputSize(*this, input_width, kernel_width);
}

at::Tensor Convolve(const at::Tensor& x, const at::Tensor& kernel,
                    const ConvolutionGeometry& geometry) {
  CheckShape(x, geometry.in_channels, geometry.input_height,
             geometry.input_width);
  if (geometry.padding_mode == PaddingMode::kZero) {
    return ZeroPadded(x, kernel, geometry.stride, geometry.padding);
  }
  const at::Tensor wrapped = WrapAround(
      WrapAround(x, 2, geometry.kernel_height), 3, geometry.kernel_width);
  return ZeroPadded(wrapped, kernel, geometry.stride, /*padding=*/0);
}

at::Tensor ConvolveTransposed(const at::Tensor& y, const at::Tensor& kernel,
                              const ConvolutionGeometry& geometry) {
  CheckShape(y, geometry.out_channels, geometry.OutputHeight(),
             geometry.OutputWidth());
  const bool circular = geometry.padding_mode == PaddingMode::kCircular;
  // Rows and columns at the end that no application of the kernel reached.
  const auto unreached = [&](int64_t input, int64_t output, int64_t size) {
    const int64_t padded = input + (circular ? size - 1 : 2 * geometry.padding);
    return padded - ((output - 1) * geometry.stride + size);
  };
  const at::Tensor padded = at::conv_transpose2d(
      y, kernel, /*bias=*/{}, /*stride=*/geometry.stride,
      /*padding=*/geometry.padding,
      /*output_padding=*/
      {unreached(geometry.input_height, geometry.OutputHeight(),
                 geometry.kernel_height),
       unreached(geometry.input_width, geometry.OutputWidth(),
                 geometry.kernel_width)});
  if (!circular) return padded;
  return FoldBack(FoldBack(padded, 3, geometry.kernel_width), 2,
                  geometry.kernel_height);
}

}  // namespace lipschitz
