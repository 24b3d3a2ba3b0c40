// The networks that this library builds from a config.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz {

// All take flat inputs, (batch, InputDim), and give (batch, OutputDim).
using NetworkConfig = std::variant<MlpConfig, ConvNetConfig>;

// "mlp", "conv_net".
std::string NetworkKind(const NetworkConfig& config);

int64_t InputDim(const NetworkConfig& config);
int64_t OutputDim(const NetworkConfig& config);

absl::Status ValidateNetwork(const NetworkConfig& config);
absl::StatusOr<Sequential> MakeNetwork(const NetworkConfig& config);

}  // namespace lipschitz
