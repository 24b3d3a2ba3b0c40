#include "lipschitz/layers/orthogonal_constraint.h"

#include <torch/nn/init.h>
#include <torch/types.h>

#include <functional>
#include <vector>

#include "lipschitz/base/status.h"
#include "lipschitz/linalg/stiefel.h"

namespace lipschitz {
namespace {

class OrthogonalConstraint : public KernelConstraint {
 public:
  OrthogonalConstraint(const std::string& name,
                       const OrthogonalKernelPlan& plan,
                       const PolarOptions& polar)
      : KernelConstraint(name), plan_(plan), polar_(polar) {
    if (plan_.unstrided) {
      pointwise_ =
          register_parameter("pointwise", torch::empty(plan_.PointwiseShape()));
      torch::nn::init::orthogonal_(pointwise_);
      const auto shape = plan_.BasesShape();
      if (shape[0] * shape[2] > 0) {
        bases_ = register_parameter("bases", torch::empty(shape));
        for (torch::Tensor basis : bases_.unbind()) {
          torch::nn::init::orthogonal_(basis);
        }
      }
    }
    if (plan_.strided) {
      strided_ =
          register_parameter("strided", torch::empty(plan_.StridedShape()));
      torch::nn::init::orthogonal_(strided_);
    }
  }

  absl::StatusOr<torch::Tensor> Kernel() override {
    OrthogonalKernelFactors factors;
    if (pointwise_.defined()) {
      LIPSCHITZ_ASSIGN_OR_RETURN(factors.pointwise, Orthonormal(pointwise_));
      // A basis of rank 0 has no parameter.
      factors.bases =
          torch::empty(plan_.BasesShape(), factors.pointwise.options());
    }
    if (bases_.defined()) {
      std::vector<torch::Tensor> bases;
      for (const torch::Tensor& basis : bases_.unbind()) {
        LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor orthonormal,
                                   Orthonormal(basis));
        bases.push_back(orthonormal);
      }
      factors.bases = torch::stack(bases);
    }
    if (strided_.defined()) {
      LIPSCHITZ_ASSIGN_OR_RETURN(factors.strided, Orthonormal(strided_));
    }
    const torch::Tensor kernel = OrthogonalKernel(factors, plan_);
    return is_training() ? kernel : kernel.to(parameters()[0].scalar_type());
  }

  void AfterOptimizerStep() override {
    // A matrix that is not finite stays as it is and is reported by whoever
    // applies it next.
    ReplaceEach([](const torch::Tensor& matrix) {
      const auto retracted = Retract(matrix);
      return retracted.ok() ? retracted->weight : matrix;
    });
  }

  void AfterTraining() override {
    ReplaceEach([](const torch::Tensor& matrix) {
      const auto polished = Polish(matrix);
      return polished.ok() ? *polished : matrix;
    });
  }

 private:
  absl::StatusOr<torch::Tensor> Orthonormal(const torch::Tensor& raw) const {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const PolarResult polar,
        PolarFactor(is_training() ? raw : raw.to(torch::kDouble), polar_));
    return polar.weight;
  }

  void ReplaceEach(
      const std::function<torch::Tensor(const torch::Tensor&)>& map) {
    torch::NoGradGuard no_grad;
    for (const torch::Tensor& parameter : parameters()) {
      const auto matrices = parameter.dim() == 3
                                ? parameter.detach().unbind()
                                : std::vector{parameter.detach()};
      for (const torch::Tensor& matrix : matrices) matrix.copy_(map(matrix));
    }
  }

  OrthogonalKernelPlan plan_;
  PolarOptions polar_;
  torch::Tensor pointwise_;
  torch::Tensor bases_;
  torch::Tensor strided_;
};

}  // namespace

std::shared_ptr<KernelConstraint> MakeOrthogonalConstraint(
    const std::string& name, const OrthogonalKernelPlan& plan,
    const PolarOptions& polar) {
  return std::make_shared<OrthogonalConstraint>(name, plan, polar);
}

}  // namespace lipschitz
