#include "lipschitz/layers/orthonormal_constraint.h"

#include <torch/types.h>

#include "lipschitz/base/status.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/tangent_product.h"

namespace lipschitz {
namespace {

class StiefelConstraint : public WeightConstraint {
 public:
  StiefelConstraint(const StiefelOptions& options, int64_t side)
      : WeightConstraint("stiefel"), options_(options) {
    // No structure that a weight could be orthogonal to by design.
    const torch::Tensor start = torch::arange(1, side + 1).to(torch::kFloat);
    direction_ = register_buffer("direction", start.cos() / start.cos().norm());
  }

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    if (!is_training()) return Polish(raw);
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(raw, name()));
    return raw;
  }

  torch::Tensor Apply(const torch::Tensor& x,
                      const torch::Tensor& weight) override {
    return options_.project_gradient ? TangentProduct(x, weight)
                                     : WeightConstraint::Apply(x, weight);
  }

  void Initialise(torch::Tensor raw) override { PolishInPlace(raw); }

  void AfterOptimizerStep(torch::Tensor raw) override {
    if (options_.max_drift > 0.0 &&
        kEstimateAllowance * EstimateDefect(raw, direction_) <=
            options_.max_drift) {
      return;
    }
    const auto retracted = Retract(raw, options_.retraction);
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

  // The estimate is from below, and its direction one step old.
  static constexpr double kEstimateAllowance = 1.5;

  StiefelOptions options_;
  // That of the largest drift, from step to step.
  torch::Tensor direction_;
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
    const StiefelOptions& options, int64_t side) {
  return std::make_shared<StiefelConstraint>(options, side);
}

std::shared_ptr<WeightConstraint> MakePolarConstraint(
    const PolarOptions& options, bool rescale_raw) {
  return std::make_shared<PolarConstraint>(options, rescale_raw);
}

}  // namespace lipschitz
