#include "lipschitz/layers/orthonormal_constraint.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "lipschitz/base/status.h"
#include "lipschitz/linalg/matrix_check.h"

namespace lipschitz {
namespace {

// The identity, whose gradient is projected on the tangent space.
class TangentGradient : public torch::autograd::Function<TangentGradient> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& weight) {
    context->save_for_backward({weight});
    return weight.view_as(weight);
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    const torch::Tensor weight = context->get_saved_variables()[0].detach();
    return {ProjectOntoTangentSpace(gradients[0], weight)};
  }
};

class StiefelConstraint : public WeightConstraint {
 public:
  StiefelConstraint(RetractionOptions retraction, bool project_gradient)
      : WeightConstraint("stiefel"),
        retraction_(retraction),
        project_gradient_(project_gradient) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    if (!is_training()) return Polish(raw);
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(raw, name()));
    if (!project_gradient_) return raw;
    return TangentGradient::apply(raw);
  }

  void Initialise(torch::Tensor raw) override { PolishInPlace(raw); }

  void AfterOptimizerStep(torch::Tensor raw) override {
    const auto retracted = Retract(raw, retraction_);
    // A weight that is not finite stays as it is and is reported by whoever
    // applies it next.
    if (!retracted.ok()) return;
    torch::NoGradGuard no_grad;
    raw.copy_(retracted->weight);
  }

  void AfterTraining(torch::Tensor raw) override { PolishInPlace(raw); }

 private:
  static void PolishInPlace(torch::Tensor raw) {
    const auto polished = Polish(raw);
    if (!polished.ok()) return;
    torch::NoGradGuard no_grad;
    raw.copy_(*polished);
  }

  RetractionOptions retraction_;
  bool project_gradient_;
};

class PolarConstraint : public WeightConstraint {
 public:
  PolarConstraint(PolarOptions options, bool rescale_raw)
      : WeightConstraint("polar"),
        options_(options),
        rescale_raw_(rescale_raw) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    LIPSCHITZ_ASSIGN_OR_RETURN(const PolarResult result,
                               PolarFactor(raw, options_));
    norm_ = result.norm;
    return result.weight;
  }

  void AfterOptimizerStep(torch::Tensor raw) override {
    if (!rescale_raw_) return;
    torch::NoGradGuard no_grad;
    raw.div_(norm_);
    norm_ = 1.0;
  }

 private:
  PolarOptions options_;
  bool rescale_raw_;
  // Of the last call, near enough to the weight's norm after the step.
  double norm_ = 1.0;
};

}  // namespace

std::shared_ptr<WeightConstraint> MakeStiefelConstraint(
    const RetractionOptions& retraction, bool project_gradient) {
  return std::make_shared<StiefelConstraint>(retraction, project_gradient);
}

std::shared_ptr<WeightConstraint> MakePolarConstraint(
    const PolarOptions& options, bool rescale_raw) {
  return std::make_shared<PolarConstraint>(options, rescale_raw);
}

}  // namespace lipschitz
