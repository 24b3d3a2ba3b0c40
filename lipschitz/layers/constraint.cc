#include "lipschitz/layers/constraint.h"

#include <torch/nn/init.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/orthonormal_constraint.h"
#include "lipschitz/linalg/l1_projection.h"
#include "lipschitz/linalg/matrix_check.h"
#include "lipschitz/linalg/norm_bound.h"
#include "lipschitz/linalg/power_iteration.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<ConstraintKind, const char*>, 10> kNames = {{
    {ConstraintKind::kNone, "none"},
    {ConstraintKind::kBjorck, "bjorck"},
    {ConstraintKind::kStiefel, "stiefel"},
    {ConstraintKind::kPolar, "polar"},
    {ConstraintKind::kSpectral, "spectral"},
    {ConstraintKind::kParseval, "parseval"},
    {ConstraintKind::kLinfProjection, "linf"},
    {ConstraintKind::kLinfRows, "linf_rows"},
    {ConstraintKind::kL1ToLinf, "l1_to_linf"},
    {ConstraintKind::kL2ToLinf, "l2_to_linf"},
}};

// A constraint that is a map of the raw weight, without state.
class MapConstraint : public WeightConstraint {
 public:
  using Map = torch::Tensor (*)(const torch::Tensor&);
  MapConstraint(const std::string& name, Map map)
      : WeightConstraint(name), map_(map) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(raw, name()));
    return map_(raw);
  }

 private:
  Map map_;
};

// Unconstrained. The start of norm-constrained weights, orthonormal and small,
// is no start for it: an entry's variance is 2 / columns instead, which keeps
// the size of activations from layer to layer. Source: K. He et al., "Delving
// Deep into Rectifiers" (ICCV 2015), equation 10.
class NoConstraint : public MapConstraint {
 public:
  using MapConstraint::MapConstraint;

  void Initialise(torch::Tensor raw) override {
    torch::nn::init::kaiming_normal_(raw);
  }
};

class BjorckConstraint : public WeightConstraint {
 public:
  BjorckConstraint(BjorckOptions options, bool rescale_raw)
      : WeightConstraint("bjorck"),
        options_(options),
        // Only then is the result that of any multiple of the weight.
        rescale_raw_(rescale_raw &&
                     (options.scaling == BjorckScaling::kUpperBound ||
                      options.scaling == BjorckScaling::kPowerIteration)) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    LIPSCHITZ_ASSIGN_OR_RETURN(const BjorckResult result,
                               Bjorck(raw, options_));
    scale_ = result.scale;
    return result.weight;
  }

  void AfterOptimizerStep(torch::Tensor raw) override {
    if (!rescale_raw_) return;
    torch::NoGradGuard no_grad;
    raw.div_(scale_);
    scale_ = 1.0;
  }

 private:
  BjorckOptions options_;
  bool rescale_raw_;
  // Of the last call, near enough to the weight's norm after the step.
  double scale_ = 1.0;
};

class SpectralConstraint : public WeightConstraint {
 public:
  SpectralConstraint(int power_iterations, bool rescale_raw, int64_t rows,
                     int64_t columns)
      : WeightConstraint("spectral"),
        power_iterations_(power_iterations),
        rescale_raw_(rescale_raw) {
    u_ = register_buffer("u", torch::randn({rows}));
    v_ = register_buffer("v", torch::zeros({columns}));
  }

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    if (!is_training()) {
      LIPSCHITZ_ASSIGN_OR_RETURN(const double bound,
                                 SpectralNormUpperBound(raw));
      LIPSCHITZ_RETURN_IF_ERROR(CheckPositive(bound));
      return raw / bound;
    }
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(raw, name()));
    const PowerIterationResult result =
        PowerIteration(raw, power_iterations_, u_);
    // d‖W‖₂/dW = u vᵀ at convergence: the gradient flows through W alone. The
    // vectors are the iteration's own, because the buffers change in place at
    // the next call.
    const torch::Tensor sigma = torch::dot(result.u, torch::mv(raw, result.v));
    // Vectors of a weight without a norm would be zero for ever.
    sigma_ = sigma.item<double>();
    LIPSCHITZ_RETURN_IF_ERROR(CheckPositive(sigma_));
    {
      torch::NoGradGuard no_grad;
      u_.copy_(result.u);
      v_.copy_(result.v);
    }
    return raw / sigma;
  }

  void AfterOptimizerStep(torch::Tensor raw) override {
    if (!rescale_raw_ || !(sigma_ > 0.0)) return;
    torch::NoGradGuard no_grad;
    raw.div_(sigma_);
    sigma_ = 1.0;
  }

 private:
  static absl::Status CheckPositive(double sigma) {
    if (sigma > 0.0) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("spectral normalisation: the norm of the weight is ",
                     sigma, ", so there is nothing to divide by"));
  }

  int power_iterations_;
  bool rescale_raw_;
  double sigma_ = 1.0;  // of the last call in training
  torch::Tensor u_;
  torch::Tensor v_;
};

class ParsevalConstraint : public WeightConstraint {
 public:
  explicit ParsevalConstraint(double beta)
      : WeightConstraint("parseval"), beta_(beta) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(raw, name()));
    return raw;
  }

  void AfterOptimizerStep(torch::Tensor raw) override {
    torch::NoGradGuard no_grad;
    raw.copy_(BjorckStep(raw, /*order=*/1, beta_));
  }

 private:
  double beta_;
};

class LinfRowsConstraint : public WeightConstraint {
 public:
  explicit LinfRowsConstraint(bool rescale_raw)
      : WeightConstraint("linf_rows"), rescale_raw_(rescale_raw) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    LIPSCHITZ_RETURN_IF_ERROR(CheckFinite(raw, name()));
    return ScaleRowsToL1Norm(raw);
  }

  void AfterOptimizerStep(torch::Tensor raw) override {
    if (!rescale_raw_) return;
    torch::NoGradGuard no_grad;
    raw.copy_(ScaleRowsToL1Norm(raw));
  }

 private:
  bool rescale_raw_;
};

torch::Tensor Same(const torch::Tensor& raw) { return raw; }
torch::Tensor LinfProjection(const torch::Tensor& raw) {
  return ProjectRowsOntoL1Ball(raw);
}
torch::Tensor L1ToLinf(const torch::Tensor& raw) { return raw.clamp(-1, 1); }
torch::Tensor L2ToLinf(const torch::Tensor& raw) {
  // Clamped before the root, which has no derivative at a row of zeros.
  return raw / raw.square().sum(1, /*keepdim=*/true).clamp_min(1).sqrt();
}

}  // namespace

std::string ConstraintName(ConstraintKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "unknown";
}

absl::StatusOr<ConstraintKind> ParseConstraint(const std::string& name) {
  for (const auto& [kind, known] : kNames) {
    if (name == known) return kind;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown constraint '", name,
                   "'; known: ", absl::StrJoin(ConstraintNames(), ", ")));
}

std::vector<std::string> ConstraintNames() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kNames) names.push_back(name);
  return names;
}

absl::Status ConstraintOptions::Validate() const {
  switch (kind) {
    case ConstraintKind::kBjorck:
      return bjorck.Validate();
    case ConstraintKind::kStiefel:
      if (!(max_drift >= 0.0)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "stiefel's max_drift must not be negative, got ", max_drift));
      }
      return retraction.Validate();
    case ConstraintKind::kPolar:
      return polar.Validate();
    case ConstraintKind::kSpectral:
      if (power_iterations < 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("spectral normalisation needs at least 1 power "
                         "iteration, got ",
                         power_iterations));
      }
      return absl::OkStatus();
    case ConstraintKind::kParseval:
      if (!(parseval_beta > 0.0 && parseval_beta <= 0.5)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "Parseval's beta must be in (0, 0.5], got ", parseval_beta));
      }
      return absl::OkStatus();
    default:
      return absl::OkStatus();
  }
}

absl::StatusOr<std::shared_ptr<WeightConstraint>> MakeWeightConstraint(
    const ConstraintOptions& options, int64_t rows, int64_t columns) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  const auto map = [&](MapConstraint::Map function) {
    return std::make_shared<MapConstraint>(ConstraintName(options.kind),
                                           function);
  };
  switch (options.kind) {
    case ConstraintKind::kNone:
      return std::make_shared<NoConstraint>(ConstraintName(options.kind), Same);
    case ConstraintKind::kBjorck:
      return std::make_shared<BjorckConstraint>(options.bjorck,
                                                options.rescale_raw);
    case ConstraintKind::kStiefel:
      return MakeStiefelConstraint(
          {options.retraction, options.max_drift, options.project_gradient},
          std::min(rows, columns));
    case ConstraintKind::kPolar:
      return MakePolarConstraint(options.polar, options.rescale_raw);
    case ConstraintKind::kSpectral:
      return std::make_shared<SpectralConstraint>(
          options.power_iterations, options.rescale_raw, rows, columns);
    case ConstraintKind::kParseval:
      return std::make_shared<ParsevalConstraint>(options.parseval_beta);
    case ConstraintKind::kLinfProjection:
      return map(LinfProjection);
    case ConstraintKind::kLinfRows:
      return std::make_shared<LinfRowsConstraint>(options.rescale_raw);
    case ConstraintKind::kL1ToLinf:
      return map(L1ToLinf);
    case ConstraintKind::kL2ToLinf:
      return map(L2ToLinf);
  }
  return absl::InternalError("constraint of unknown kind");
}

}  // namespace lipschitz
