// An MlpConfig as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "absl/status/statusor.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz {

// Every field under its own name; activations and enumerations by their names
// ("groupsort4", "bjorck"), so that a parameter which an activation ignores is
// not kept. Numbers come back bit for bit where they are finite.
nlohmann::ordered_json MlpConfigToJson(const MlpConfig& config);

// The inverse. InvalidArgument, naming the field, where one is missing,
// unknown, of another type or out of its type's range; the config itself is not
// validated.
absl::StatusOr<MlpConfig> MlpConfigFromJson(const nlohmann::ordered_json& json);

}  // namespace lipschitz
