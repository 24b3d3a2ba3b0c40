#include "lipschitz/layers/convolution.h"

#include <c10/core/InferenceMode.h>
#include <torch/nn/init.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/same_bits.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/convolution_norm_bound.h"

namespace lipschitz {

absl::Status Conv2dConfig::Validate() const {
  const std::string layer = absl::StrCat("layer '", name, "'");
  LIPSCHITZ_RETURN_IF_ERROR(WithContext(geometry.Validate(), layer));
  if (!(scale > 0.0) || !std::isfinite(scale)) {
    return absl::InvalidArgumentError(
        absl::StrCat(layer, ": scale must be positive, got ", scale));
  }
  return WithContext(constraint.Validate(geometry), layer);
}

Conv2dImpl::Conv2dImpl(Conv2dConfig config)
    : LayerImpl(config.name), config_(std::move(config)) {
  const absl::Status valid = config_.Validate();
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
  const ConvolutionGeometry& g = config_.geometry;
  auto constraint = MakeKernelConstraint(config_.constraint, g);
  TORCH_CHECK(constraint.ok(), std::string(constraint.status().message()));
  constraint_ = register_module("constraint", *std::move(constraint));
  if (config_.bias) {
    const double bound =
        1.0 / std::sqrt(static_cast<double>(g.in_channels * g.kernel_height *
                                            g.kernel_width));
    bias = register_parameter("bias", torch::empty({g.out_channels}));
    torch::nn::init::uniform_(bias, -bound, bound);
  }
}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) {
  const ConvolutionGeometry& g = config_.geometry;
  TORCH_CHECK(x.dim() == 4 && x.size(1) == g.in_channels &&
                  x.size(2) == g.input_height && x.size(3) == g.input_width,
              "layer '", name(), "': the input's shape must be (batch, ",
              g.in_channels, ", ", g.input_height, ", ", g.input_width,
              "), got ", x.sizes());
  const absl::StatusOr<torch::Tensor> kernel = ConstrainedKernel();
  TORCH_CHECK(kernel.ok(), std::string(kernel.status().message()));
  torch::Tensor y = Convolve(x, *kernel, g);
  if (bias.defined()) y = y + bias.reshape({1, -1, 1, 1});
  return config_.scale == 1.0 ? y : y * config_.scale;
}

absl::StatusOr<torch::Tensor> Conv2dImpl::ConstrainedKernel() {
  return is_training() ? ComputeKernel() : EvaluationKernel();
}

absl::StatusOr<torch::Tensor> Conv2dImpl::ComputeKernel() {
  ++constraint_evaluations_;
  auto kernel = constraint_->Kernel();
  if (!kernel.ok()) {
    return WithContext(kernel.status(), absl::StrCat("layer '", name(), "'"));
  }
  return kernel;
}

absl::StatusOr<torch::Tensor> Conv2dImpl::EvaluationKernel() {
  // What is kept must serve autograd later, whatever mode this call is in.
  const c10::InferenceMode normal(/*enabled=*/false);
  torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> raw = constraint_->parameters();
  if (cached_.defined() &&
      std::equal(raw.begin(), raw.end(), cached_from_.begin(),
                 cached_from_.end(), SameBits)) {
    return cached_;
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor kernel, ComputeKernel());
  // Copies: without a constraint they would share the parameter's memory and
  // change with it.
  cached_ = kernel.detach().clone(torch::MemoryFormat::Contiguous);
  cached_from_.clear();
  for (const torch::Tensor& parameter : raw) {
    cached_from_.push_back(parameter.detach().clone());
  }
  return cached_;
}

absl::StatusOr<BoundTable> Conv2dImpl::LipschitzBounds() {
  const std::string layer = absl::StrCat("layer '", name(), "'");
  const bool was_training = is_training();
  if (was_training) constraint_->eval();
  const auto kernel = CatchTorch(layer, [&] { return EvaluationKernel(); });
  if (was_training) constraint_->train();
  if (!kernel.ok()) return kernel.status();
  const auto bounds = ConvolutionNormBounds(*kernel, config_.geometry);
  if (!bounds.ok()) return WithContext(bounds.status(), layer);
  return bounds->Times(AppliedScale());
}

double Conv2dImpl::AppliedScale() const {
  return constraint_->parameters()[0].scalar_type() == torch::kFloat
             ? static_cast<double>(static_cast<float>(config_.scale))
             : config_.scale;
}

void Conv2dImpl::AfterOptimizerStep() { constraint_->AfterOptimizerStep(); }

void Conv2dImpl::AfterTraining() { constraint_->AfterTraining(); }

void Conv2dImpl::train(bool on) {
  torch::nn::Module::train(on);
  cached_ = torch::Tensor();
}

void Conv2dImpl::pretty_print(std::ostream& stream) const {
  const ConvolutionGeometry& g = config_.geometry;
  stream << "lipschitz::Conv2d(in=" << g.in_channels
         << ", out=" << g.out_channels << ", kernel=" << g.kernel_height << "x"
         << g.kernel_width << ", stride=" << g.stride
         << ", padding=" << PaddingModeName(g.padding_mode);
  if (g.padding_mode == PaddingMode::kZero) stream << " " << g.padding;
  stream << ", input=" << g.input_height << "x" << g.input_width
         << ", constraint="
         << ConvolutionConstraintName(config_.constraint.kind);
  if (!config_.bias) stream << ", bias=false";
  if (config_.scale != 1.0) stream << ", scale=" << config_.scale;
  stream << ")";
}

}  // namespace lipschitz
