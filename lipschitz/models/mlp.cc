#include "lipschitz/models/mlp.h"

#include <cmath>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {
namespace {

const ActivationSpec& ActivationOf(const MlpConfig& config, size_t hidden) {
  return config.activations.empty() ? config.activation
                                    : config.activations[hidden];
}

const ConstraintOptions& ConstraintOf(const MlpConfig& config, size_t layer) {
  return config.constraints.empty() ? config.constraint
                                    : config.constraints[layer];
}

// The linear layers, with the width after every activation worked out.
absl::StatusOr<std::vector<LinearConfig>> LinearConfigs(
    const MlpConfig& config) {
  const size_t layers = config.hidden.size() + 1;
  const double scale =
      std::pow(config.lipschitz_constant, 1.0 / static_cast<double>(layers));
  std::vector<LinearConfig> linear(layers);
  int64_t width = config.input_dim;
  for (size_t i = 0; i < layers; ++i) {
    linear[i].name = absl::StrCat("linear", i + 1);
    linear[i].in_features = width;
    linear[i].out_features =
        i + 1 < layers ? config.hidden[i] : config.output_dim;
    linear[i].bias = config.bias;
    linear[i].constraint = ConstraintOf(config, i);
    linear[i].scale = scale;
    LIPSCHITZ_RETURN_IF_ERROR(linear[i].Validate());
    if (i + 1 < layers) {
      auto next = ActivationOf(config, i).OutputWidth(config.hidden[i]);
      if (!next.ok()) {
        return WithContext(next.status(), absl::StrCat("hidden layer ", i + 1));
      }
      width = *next;
    }
  }
  return linear;
}

}  // namespace

absl::Status MlpConfig::Validate() const {
  if (!activations.empty() && activations.size() != hidden.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("MLP: ", activations.size(), " activations for ",
                     hidden.size(), " hidden layers; give one for each"));
  }
  if (!constraints.empty() && constraints.size() != hidden.size() + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("MLP: ", constraints.size(), " constraints for ",
                     hidden.size() + 1, " linear layers; give one for each"));
  }
  if (!(lipschitz_constant > 0.0) || !std::isfinite(lipschitz_constant)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "MLP: lipschitz_constant must be positive, got ", lipschitz_constant));
  }
  LIPSCHITZ_RETURN_IF_ERROR(WithContext(ValidateDropout(dropout), "MLP"));
  return LinearConfigs(*this).status();
}

absl::StatusOr<Sequential> MakeMlp(const MlpConfig& config) {
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  return CatchTorch("MLP", [&]() -> absl::StatusOr<Sequential> {
    LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<LinearConfig> linear,
                               LinearConfigs(config));
    Sequential network("mlp");
    for (size_t i = 0; i < linear.size(); ++i) {
      network->push_back(linear[i].name,
                         std::make_shared<LinearImpl>(linear[i]));
      if (i + 1 < linear.size()) {
        network->push_back(
            absl::StrCat("activation", i + 1),
            std::make_shared<ActivationImpl>(ActivationOf(config, i)));
        if (config.dropout > 0.0) {
          network->push_back(absl::StrCat("dropout", i + 1),
                             std::make_shared<DropoutImpl>(config.dropout));
        }
      }
    }
    return network;
  });
}

}  // namespace lipschitz
