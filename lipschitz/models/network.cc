#include "lipschitz/models/network.h"

namespace lipschitz {

std::string NetworkKind(const NetworkConfig& config) {
  return std::holds_alternative<MlpConfig>(config) ? "mlp" : "conv_net";
}

int64_t InputDim(const NetworkConfig& config) {
  if (const auto* mlp = std::get_if<MlpConfig>(&config)) return mlp->input_dim;
  return std::get<ConvNetConfig>(config).InputDim();
}

int64_t OutputDim(const NetworkConfig& config) {
  return std::visit([](const auto& network) { return network.output_dim; },
                    config);
}

absl::Status ValidateNetwork(const NetworkConfig& config) {
  return std::visit([](const auto& network) { return network.Validate(); },
                    config);
}

absl::StatusOr<Sequential> MakeNetwork(const NetworkConfig& config) {
  if (const auto* mlp = std::get_if<MlpConfig>(&config)) return MakeMlp(*mlp);
  return MakeConvNet(std::get<ConvNetConfig>(config));
}

}  // namespace lipschitz
