// The convolution under a constraint.
#pragma once

#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/layers/kernel_constraint.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {

struct Conv2dConfig {
  // With the size of the images: the Lipschitz constant depends on it.
  ConvolutionGeometry geometry;
  // One number per output channel.
  bool bias = true;
  ConvolutionConstraintOptions constraint;
  // The output, bias included, is multiplied by it.
  double scale = 1.0;
  // Named in errors.
  std::string name = "conv2d";

  absl::Status Validate() const;
};

// y = scale · (K̂ ⋆ x + b), with K̂ the constrained kernel and ⋆ the convolution
// of the geometry (Convolve).
//
//   \code
//   Conv2dConfig config;
//   config.geometry.in_channels = 3;
//   config.geometry.out_channels = 32;
//   config.geometry.kernel_height = config.geometry.kernel_width = 3;
//   config.geometry.padding_mode = PaddingMode::kCircular;
//   config.geometry.input_height = config.geometry.input_width = 28;
//   Conv2d layer(config);                        // orthogonal
//   torch::Tensor y = layer->forward(x);         // (batch, 3, 28, 28)
//   double k = *layer->LipschitzBound(Norm::kL2);
//   \endcode
//
// The raw parameters belong to the constraint and are registered under
// "constraint.". A raw kernel starts with orthonormal rows or columns, as a
// matrix, times 1/√(in_channels · height · width); the matrices of an
// orthogonal kernel start orthonormal; the entries of a kernel without a
// constraint are Gaussian of variance 2 over that product (He et al. 2015). The
// bias is uniform in ± one over its root.
// An invalid config is a c10::Error from the constructor; validate it first
// where a status is wanted.
//
// In training mode the constrained kernel is computed in every forward and
// carries gradients to the raw parameters. In evaluation mode it is a constant:
// it is computed once, kept, and computed anew when a raw parameter, its type
// or its device has changed.
class Conv2dImpl : public LayerImpl {
 public:
  explicit Conv2dImpl(Conv2dConfig config);

  // x: (batch, in_channels, input_height, input_width) → (batch, out_channels,
  // output height, output width). A c10::Error that names the layer when the
  // shape does not fit or the kernel cannot be constrained.
  torch::Tensor forward(const torch::Tensor& x) override;

  // For the constrained kernel as it is used in evaluation.
  absl::StatusOr<BoundTable> LipschitzBounds() override;

  void AfterOptimizerStep() override;
  void AfterTraining() override;
  void train(bool on = true) override;
  void pretty_print(std::ostream& stream) const override;

  // The kernel that forward applies, (out_channels, in_channels, kernel_height,
  // kernel_width), without the scale.
  absl::StatusOr<torch::Tensor> ConstrainedKernel();

  // The scale as forward multiplies by it: rounded to the parameters' type.
  double AppliedScale() const;

  const Conv2dConfig& config() const { return config_; }

  torch::Tensor bias;  // (out_channels), undefined without a bias

  // How often the constrained kernel was computed; for tests and profiles.
  int64_t constraint_evaluations() const { return constraint_evaluations_; }

 private:
  absl::StatusOr<torch::Tensor> ComputeKernel();
  absl::StatusOr<torch::Tensor> EvaluationKernel();

  Conv2dConfig config_;
  std::shared_ptr<KernelConstraint> constraint_;
  // The constrained kernel in evaluation, and the raw parameters it was
  // computed from.
  torch::Tensor cached_;
  std::vector<torch::Tensor> cached_from_;
  int64_t constraint_evaluations_ = 0;
};
TORCH_MODULE(Conv2d);

}  // namespace lipschitz
