#include "lipschitz/layers/constraint.h"

#include <torch/types.h>

#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lipschitz/base/status.h"
#include "lipschitz/linalg/l1_projection.h"
#include "lipschitz/linalg/norm_bound.h"
#include "lipschitz/linalg/power_iteration.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<ConstraintKind, const char*>, 8> kNames = {{
    {ConstraintKind::kNone, "none"},
    {ConstraintKind::kBjorck, "bjorck"},
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
    return map_(raw);
  }

 private:
  Map map_;
};

class BjorckConstraint : public WeightConstraint {
 public:
  explicit BjorckConstraint(BjorckOptions options)
      : WeightConstraint("bjorck"), options_(options) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    LIPSCHITZ_ASSIGN_OR_RETURN(const BjorckResult result,
                               Bjorck(raw, options_));
    return result.weight;
  }

 private:
  BjorckOptions options_;
};

class SpectralConstraint : public WeightConstraint {
 public:
  SpectralConstraint(int power_iterations, int64_t rows, int64_t columns)
      : WeightConstraint("spectral"), power_iterations_(power_iterations) {
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
    const PowerIterationResult result =
        PowerIteration(raw, power_iterations_, u_);
    {
      torch::NoGradGuard no_grad;
      u_.copy_(result.u);
      v_.copy_(result.v);
    }
    // d‖W‖₂/dW = u vᵀ at convergence: the gradient flows through W alone. The
    // vectors are the iteration's own, because the buffers change in place at
    // the next call.
    const torch::Tensor sigma = torch::dot(result.u, torch::mv(raw, result.v));
    LIPSCHITZ_RETURN_IF_ERROR(CheckPositive(sigma.item<double>()));
    return raw / sigma;
  }

 private:
  static absl::Status CheckPositive(double sigma) {
    if (sigma > 0.0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "spectral normalisation: the norm of the weight is ", sigma,
        ", so there is nothing to divide by"));
  }

  int power_iterations_;
  torch::Tensor u_;
  torch::Tensor v_;
};

class ParsevalConstraint : public WeightConstraint {
 public:
  explicit ParsevalConstraint(double beta)
      : WeightConstraint("parseval"), beta_(beta) {}

  absl::StatusOr<torch::Tensor> Constrain(const torch::Tensor& raw) override {
    return raw;
  }

  void AfterOptimizerStep(torch::Tensor raw) override {
    torch::NoGradGuard no_grad;
    BjorckOptions step;
    step.order = 1;
    step.beta = beta_;
    step.scaling = BjorckScaling::kNone;
    step.iterations = 1;
    step.report = false;
    const absl::StatusOr<BjorckResult> result = Bjorck(raw, step);
    // A weight that is not finite is the training loop's to report; here it
    // stays as it is.
    if (result.ok()) raw.copy_(result->weight);
  }

 private:
  double beta_;
};

torch::Tensor Same(const torch::Tensor& raw) { return raw; }
torch::Tensor LinfProjection(const torch::Tensor& raw) {
  return ProjectRowsOntoL1Ball(raw);
}
torch::Tensor LinfRows(const torch::Tensor& raw) {
  return ScaleRowsToL1Norm(raw);
}
torch::Tensor L1ToLinf(const torch::Tensor& raw) { return raw.clamp(-1, 1); }
torch::Tensor L2ToLinf(const torch::Tensor& raw) {
  return raw / raw.square().sum(1, /*keepdim=*/true).sqrt().clamp_min(1);
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
      absl::StrCat("unknown constraint '", name, "'; known: ",
                   absl::StrJoin(ConstraintNames(), ", ")));
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
      return map(Same);
    case ConstraintKind::kBjorck:
      return std::make_shared<BjorckConstraint>(options.bjorck);
    case ConstraintKind::kSpectral:
      return std::make_shared<SpectralConstraint>(options.power_iterations,
                                                  rows, columns);
    case ConstraintKind::kParseval:
      return std::make_shared<ParsevalConstraint>(options.parseval_beta);
    case ConstraintKind::kLinfProjection:
      return map(LinfProjection);
    case ConstraintKind::kLinfRows:
      return map(LinfRows);
    case ConstraintKind::kL1ToLinf:
      return map(L1ToLinf);
    case ConstraintKind::kL2ToLinf:
      return map(L2ToLinf);
  }
  return absl::InternalError("constraint of unknown kind");
}

}  // namespace lipschitz
