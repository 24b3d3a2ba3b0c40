// A network's config as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/generator_config.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/models/network.h"

namespace lipschitz {

// Every field under its own name; activations and enumerations by their names
// ("groupsort4", "bjorck"), so that a parameter which an activation ignores is
// not kept. Numbers come back bit for bit where they are finite.
nlohmann::ordered_json MlpConfigToJson(const MlpConfig& config);
nlohmann::ordered_json ConvNetConfigToJson(const ConvNetConfig& config);
nlohmann::ordered_json GeneratorConfigToJson(const GeneratorConfig& config);
nlohmann::ordered_json NetworkConfigToJson(const NetworkConfig& config);

// The inverse. InvalidArgument, naming the field, where one is missing,
// unknown, of another type or out of its type's range; the config itself is not
// validated.
absl::StatusOr<MlpConfig> MlpConfigFromJson(const nlohmann::ordered_json& json);
absl::StatusOr<ConvNetConfig> ConvNetConfigFromJson(
    const nlohmann::ordered_json& json);
absl::StatusOr<GeneratorConfig> GeneratorConfigFromJson(
    const nlohmann::ordered_json& json);
// `kind` is a NetworkKind; another is InvalidArgument.
absl::StatusOr<NetworkConfig> NetworkConfigFromJson(
    const std::string& kind, const nlohmann::ordered_json& json);

}  // namespace lipschitz
