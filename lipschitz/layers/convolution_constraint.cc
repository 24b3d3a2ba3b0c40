#include "lipschitz/layers/convolution_constraint.h"

#include <torch/nn/init.h>
#include <torch/types.h>

#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/orthogonal_constraint.h"
#include "lipschitz/linalg/convolution_norm_bound.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/orthogonal_kernel.h"
#include "lipschitz/linalg/power_iteration.h"
#include "lipschitz/linalg/tangent_product.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<ConvolutionConstraintKind, const char*>, 7>
    kNames = {{
        {ConvolutionConstraintKind::kNone, "none"},
        {ConvolutionConstraintKind::kRko, "rko"},
        {ConvolutionConstraintKind::kRkoLinf, "rko_linf"},
        {ConvolutionConstraintKind::kSpectral, "spectral"},
        {ConvolutionConstraintKind::kOrthogonal, "orthogonal"},
        {ConvolutionConstraintKind::kBcop, "bcop"},
        {ConvolutionConstraintKind::kSeparable, "separable"},
    }};

int64_t CeilingOfQuotient(int64_t a, int64_t b) { return (a + b - 1) / b; }

// In how many windows a pixel is at most.
int64_t Overlap(const ConvolutionGeometry& g) {
  return CeilingOfQuotient(g.kernel_height, g.stride) *
         CeilingOfQuotient(g.kernel_width, g.stride);
}

// (out_channels, in_channels, height, width); flattened its rows or columns are
// orthonormal, times 1/√(in_channels · height · width).
torch::Tensor InitialKernel(const ConvolutionGeometry& g) {
  torch::Tensor kernel = torch::empty(
      {g.out_channels, g.in_channels, g.kernel_height, g.kernel_width});
  const auto inputs =
      static_cast<double>(g.in_channels * g.kernel_height * g.kernel_width);
  // Takes the dimensions after the first together.
  return torch::nn::init::orthogonal_(kernel, 1.0 / std::sqrt(inputs));
}

// A constraint on the flattened kernel.
class FlattenedConstraint : public KernelConstraint {
 public:
  FlattenedConstraint(const std::string& name, const ConstraintOptions& options,
                      std::shared_ptr<WeightConstraint> constraint,
                      double factor, const ConvolutionGeometry& geometry)
      : KernelConstraint(name),
        project_gradient_(options.kind == ConstraintKind::kStiefel &&
                          options.project_gradient),
        factor_(factor) {
    kernel_ = register_parameter("kernel", InitialKernel(geometry));
    constraint_ = register_module("flattened", std::move(constraint));
    constraint_->Initialise(Flattened());
  }

  absl::StatusOr<torch::Tensor> Kernel() override {
    torch::Tensor raw = kernel_.flatten(1);
    if (project_gradient_ && is_training()) raw = WithTangentGradient(raw);
    LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor matrix,
                               constraint_->Constrain(raw));
    const torch::Tensor kernel = matrix.reshape(kernel_.sizes());
    return factor_ == 1.0 ? kernel : kernel * factor_;
  }

  void AfterOptimizerStep() override {
    constraint_->AfterOptimizerStep(Flattened());
  }
  void AfterTraining() override { constraint_->AfterTraining(Flattened()); }

 private:
  // Shares the parameter's memory.
  torch::Tensor Flattened() const { return kernel_.detach().flatten(1); }

  bool project_gradient_;
  double factor_;
  torch::Tensor kernel_;
  std::shared_ptr<WeightConstraint> constraint_;
};

class SpectralConstraint : public KernelConstraint {
 public:
  SpectralConstraint(int power_iterations, bool rescale_raw,
                     const ConvolutionGeometry& geometry)
      : KernelConstraint("spectral"),
        power_iterations_(power_iterations),
        rescale_raw_(rescale_raw),
        geometry_(geometry) {
    const ConvolutionGeometry& g = geometry_;
    kernel_ = register_parameter("kernel", InitialKernel(g));
    u_ = register_buffer("u", torch::randn({1, g.out_channels, g.OutputHeight(),
                                            g.OutputWidth()}));
    v_ = register_buffer(
        "v", torch::zeros({1, g.in_channels, g.input_height, g.input_width}));
  }

  absl::StatusOr<torch::Tensor> Kernel() override {
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(kernel_.flatten(1), name()));
    if (!is_training()) {
      LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable bounds,
                                 ConvolutionNormBounds(kernel_, geometry_));
      const double bound = bounds.At(Norm::kL2, Norm::kL2);
      LIPSCHITZ_RETURN_IF_ERROR(CheckPositive(bound));
      return kernel_ / bound;
    }
    const torch::Tensor weight = kernel_.detach();
    const PowerIterationResult result = PowerIteration(
        LinearMap{[&](const torch::Tensor& x) {
                    return Convolve(x, weight, geometry_);
                  },
                  [&](const torch::Tensor& y) {
                    return ConvolveTransposed(y, weight, geometry_);
                  }},
        power_iterations_, u_);
    // The derivative of ⟨u, K v⟩ at the singular vectors is that of the norm:
    // the gradient flows through the kernel alone.
    const torch::Tensor sigma =
        (result.u * Convolve(result.v, kernel_, geometry_)).sum();
    sigma_ = sigma.item<double>();
    LIPSCHITZ_RETURN_IF_ERROR(CheckPositive(sigma_));
    {
      torch::NoGradGuard no_grad;
      u_.copy_(result.u);
      v_.copy_(result.v);
    }
    return kernel_ / sigma;
  }

  void AfterOptimizerStep() override {
    if (!rescale_raw_ || !(sigma_ > 0.0)) return;
    torch::NoGradGuard no_grad;
    kernel_.div_(sigma_);
    sigma_ = 1.0;
  }

 private:
  static absl::Status CheckPositive(double sigma) {
    if (sigma > 0.0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("spectral normalisation: the norm of the convolution is ",
                     sigma, ", so there is nothing to divide by"));
  }

  int power_iterations_;
  bool rescale_raw_;
  ConvolutionGeometry geometry_;
  double sigma_ = 1.0;  // of the last call in training
  torch::Tensor kernel_;
  torch::Tensor u_;
  torch::Tensor v_;
};

absl::StatusOr<std::shared_ptr<KernelConstraint>> MakeFlattened(
    const std::string& name, const ConstraintOptions& options, double factor,
    const ConvolutionGeometry& g) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      auto constraint,
      MakeWeightConstraint(options, g.out_channels,
                           g.in_channels * g.kernel_height * g.kernel_width));
  return std::make_shared<FlattenedConstraint>(
      name, options, std::move(constraint), factor, g);
}

ConstraintOptions OfKind(ConstraintKind kind) {
  ConstraintOptions options;
  options.kind = kind;
  return options;
}

OrthogonalMethod MethodOf(ConvolutionConstraintKind kind) {
  switch (kind) {
    case ConvolutionConstraintKind::kBcop:
      return OrthogonalMethod::kBcop;
    case ConvolutionConstraintKind::kSeparable:
      return OrthogonalMethod::kSeparable;
    default:
      return OrthogonalMethod::kAoc;
  }
}

}  // namespace

std::string ConvolutionConstraintName(ConvolutionConstraintKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "unknown";
}

absl::StatusOr<ConvolutionConstraintKind> ParseConvolutionConstraint(
    const std::string& name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown convolution constraint '", name,
      "'; known: ", absl::StrJoin(ConvolutionConstraintNames(), ", ")));
}

std::vector<std::string> ConvolutionConstraintNames() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kNames) names.push_back(name);
  return names;
}

absl::Status ConvolutionConstraintOptions::Validate(
    const ConvolutionGeometry& geometry) const {
  switch (kind) {
    case ConvolutionConstraintKind::kNone:
    case ConvolutionConstraintKind::kRkoLinf:
      return absl::OkStatus();
    case ConvolutionConstraintKind::kRko:
      if (flattened.kind != ConstraintKind::kBjorck &&
          flattened.kind != ConstraintKind::kStiefel &&
          flattened.kind != ConstraintKind::kPolar) {
        return absl::InvalidArgumentError(absl::StrCat(
            "rko orthonormalises the flattened kernel by bjorck, stiefel or "
            "polar, not by ",
            ConstraintName(flattened.kind)));
      }
      return flattened.Validate();
    case ConvolutionConstraintKind::kSpectral:
      if (power_iterations < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("spectral normalisation needs at least 1 power "
                         "iteration, got ",
                         power_iterations));
      }
      return absl::OkStatus();
    case ConvolutionConstraintKind::kOrthogonal:
    case ConvolutionConstraintKind::kBcop:
    case ConvolutionConstraintKind::kSeparable:
      LIPSCHITZ_RETURN_IF_ERROR(polar.Validate());
      return PlanOrthogonalKernel(MethodOf(kind), geometry).status();
  }
  return absl::InternalError("convolution constraint of unknown kind");
}

absl::StatusOr<std::shared_ptr<KernelConstraint>> MakeKernelConstraint(
    const ConvolutionConstraintOptions& options,
    const ConvolutionGeometry& geometry) {
  LIPSCHITZ_RETURN_IF_ERROR(geometry.Validate());
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate(geometry));
  const std::string name = ConvolutionConstraintName(options.kind);
  switch (options.kind) {
    case ConvolutionConstraintKind::kNone:
      return MakeFlattened(name, OfKind(ConstraintKind::kNone), 1.0, geometry);
    case ConvolutionConstraintKind::kRko:
      return MakeFlattened(
          name, options.flattened,
          1.0 / std::sqrt(static_cast<double>(Overlap(geometry))), geometry);
    case ConvolutionConstraintKind::kRkoLinf:
      return MakeFlattened(name, OfKind(ConstraintKind::kLinfProjection), 1.0,
                           geometry);
    case ConvolutionConstraintKind::kSpectral:
      return std::make_shared<SpectralConstraint>(
          options.power_iterations, options.rescale_raw, geometry);
    case ConvolutionConstraintKind::kOrthogonal:
    case ConvolutionConstraintKind::kBcop:
    case ConvolutionConstraintKind::kSeparable: {
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const OrthogonalKernelPlan plan,
          PlanOrthogonalKernel(MethodOf(options.kind), geometry));
      return MakeOrthogonalConstraint(name, plan, options.polar);
    }
  }
  return absl::InternalError("convolution constraint of unknown kind");
}

}  // namespace lipschitz
