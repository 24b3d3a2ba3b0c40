#include "lipschitz/models/network_json.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/linalg/bjorck.h"
#include "lipschitz/linalg/convolution.h"
#include "lipschitz/linalg/polar.h"
#include "lipschitz/linalg/stiefel.h"

namespace lipschitz {
namespace {

using Json = nlohmann::ordered_json;

// The one list of fields: `visit(name, field)` for each. The bindings name
// every member, so that one which is added to a struct and not here does not
// compile. `Visitor` reads or writes; `options` is const where it writes.
template <typename Visitor, typename Options>
void VisitFields(Options& options, Visitor& visit) {
  using Type = std::remove_const_t<Options>;
  if constexpr (std::is_same_v<Type, BjorckOptions>) {
    auto& [order, beta, scaling, iterations, tolerance, power_iterations,
           report] = options;
    visit("order", order);
    visit("beta", beta);
    visit("scaling", scaling);
    visit("iterations", iterations);
    visit("tolerance", tolerance);
    visit("power_iterations", power_iterations);
    visit("report", report);
  } else if constexpr (std::is_same_v<Type, RetractionOptions>) {
    auto& [max_steps, tolerance] = options;
    visit("max_steps", max_steps);
    visit("tolerance", tolerance);
  } else if constexpr (std::is_same_v<Type, PolarOptions>) {
    auto& [tolerance, max_iterations] = options;
    visit("tolerance", tolerance);
    visit("max_iterations", max_iterations);
  } else if constexpr (std::is_same_v<Type, ConstraintOptions>) {
    auto& [kind, bjorck, retraction, max_drift, project_gradient, polar,
           power_iterations, rescale_raw, parseval_beta] = options;
    visit("kind", kind);
    visit("bjorck", bjorck);
    visit("retraction", retraction);
    visit("max_drift", max_drift);
    visit("project_gradient", project_gradient);
    visit("polar", polar);
    visit("power_iterations", power_iterations);
    visit("rescale_raw", rescale_raw);
    visit("parseval_beta", parseval_beta);
  } else if constexpr (std::is_same_v<Type, ConvolutionConstraintOptions>) {
    auto& [kind, flattened, power_iterations, rescale_raw, polar] = options;
    visit("kind", kind);
    visit("flattened", flattened);
    visit("power_iterations", power_iterations);
    visit("rescale_raw", rescale_raw);
    visit("polar", polar);
  } else if constexpr (std::is_same_v<Type, ConvStage>) {
    auto& [channels, kernel, stride, padding_mode, padding, max_pool] = options;
    visit("channels", channels);
    visit("kernel", kernel);
    visit("stride", stride);
    visit("padding_mode", padding_mode);
    visit("padding", padding);
    visit("max_pool", max_pool);
  } else if constexpr (std::is_same_v<Type, ConvNetConfig>) {
    auto& [channels, height, width, stages, hidden, output_dim, activation,
           convolution, dense, bias, lipschitz_constant, dropout] = options;
    visit("channels", channels);
    visit("height", height);
    visit("width", width);
    visit("stages", stages);
    visit("hidden", hidden);
    visit("output_dim", output_dim);
    visit("activation", activation);
    visit("convolution", convolution);
    visit("dense", dense);
    visit("bias", bias);
    visit("lipschitz_constant", lipschitz_constant);
    visit("dropout", dropout);
  } else if constexpr (std::is_same_v<Type, GeneratorConfig>) {
    auto& [noise_dim, channels, height, width, hidden, wide_channels,
           narrow_channels] = options;
    visit("noise_dim", noise_dim);
    visit("channels", channels);
    visit("height", height);
    visit("width", width);
    visit("hidden", hidden);
    visit("wide_channels", wide_channels);
    visit("narrow_channels", narrow_channels);
  } else {
    static_assert(std::is_same_v<Type, MlpConfig>);
    auto& [input_dim, hidden, output_dim, activation, activations, constraint,
           constraints, bias, lipschitz_constant, dropout] = options;
    visit("input_dim", input_dim);
    visit("hidden", hidden);
    visit("output_dim", output_dim);
    visit("activation", activation);
    visit("activations", activations);
    visit("constraint", constraint);
    visit("constraints", constraints);
    visit("bias", bias);
    visit("lipschitz_constant", lipschitz_constant);
    visit("dropout", dropout);
  }
}

// What has a name of its own in JSON.
std::string NameOf(const ActivationSpec& spec) { return spec.Name(); }
std::string NameOf(ConstraintKind kind) { return ConstraintName(kind); }
std::string NameOf(BjorckScaling scaling) { return BjorckScalingName(scaling); }
std::string NameOf(PaddingMode mode) { return PaddingModeName(mode); }
std::string NameOf(ConvolutionConstraintKind kind) {
  return ConvolutionConstraintName(kind);
}

template <typename T>
absl::StatusOr<T> Parse(const std::string& name) {
  if constexpr (std::is_same_v<T, ActivationSpec>) {
    return ParseActivation(name);
  } else if constexpr (std::is_same_v<T, ConstraintKind>) {
    return ParseConstraint(name);
  } else if constexpr (std::is_same_v<T, ConvolutionConstraintKind>) {
    return ParseConvolutionConstraint(name);
  } else if constexpr (std::is_same_v<T, PaddingMode>) {
    return ParsePaddingMode(name);
  } else {
    static_assert(std::is_same_v<T, BjorckScaling>);
    return ParseBjorckScaling(name);
  }
}

template <typename T>
constexpr bool kHasName =
    std::is_same_v<T, ActivationSpec> || std::is_enum_v<T>;

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
Json ToJson(const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (kHasName<T>) {
    return NameOf(value);
  } else if constexpr (IsVector<T>::value) {
    Json array = Json::array();
    for (const auto& element : value) array.push_back(ToJson(element));
    return array;
  } else {
    Json object = Json::object();
    auto write = [&](const char* name, const auto& field) {
      object[name] = ToJson(field);
    };
    VisitFields(value, write);
    return object;
  }
}

// Sets `value` from `json`, which errors call `name`.
template <typename T>
absl::Status FromJson(const Json& json, const std::string& name, T* value) {
  const auto expected = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, " must be ", what, ", not a JSON ",
                     std::string(json.type_name())));
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return expected("true or false");
    *value = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer()) return expected("a whole number");
    // Beyond int64, JSON numbers are unsigned here.
    const bool fits =
        (!json.is_number_unsigned() ||
         json.get<uint64_t>() <=
             static_cast<uint64_t>(std::numeric_limits<T>::max())) &&
        json.get<int64_t>() >= std::numeric_limits<T>::min() &&
        json.get<int64_t>() <= std::numeric_limits<T>::max();
    if (!fits) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is out of range: ", json.dump()));
    }
    *value = json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) return expected("a number");
    *value = json.get<T>();
  } else if constexpr (kHasName<T>) {
    if (!json.is_string()) return expected("a name");
    auto parsed = Parse<T>(json.get<std::string>());
    if (!parsed.ok()) return WithContext(parsed.status(), name);
    *value = *parsed;
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) return expected("an array");
    value->clear();
    for (const Json& element : json) {
      typename T::value_type next{};
      LIPSCHITZ_RETURN_IF_ERROR(FromJson(
          element, absl::StrCat(name, "[", value->size(), "]"), &next));
      value->push_back(next);
    }
  } else {
    if (!json.is_object()) return expected("an object");
    absl::Status status;
    std::set<std::string> known;
    auto read = [&](const char* field, auto& member) {
      known.insert(field);
      if (!status.ok()) return;
      const std::string path = absl::StrCat(name, ".", field);
      const auto found = json.find(field);
      status =
          found == json.end()
              ? absl::InvalidArgumentError(absl::StrCat(path, " is missing"))
              : FromJson(*found, path, &member);
    };
    VisitFields(*value, read);
    LIPSCHITZ_RETURN_IF_ERROR(status);
    for (const auto& item : json.items()) {
      if (known.count(item.key()) > 0) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(name, " has no field '", item.key(), "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Json MlpConfigToJson(const MlpConfig& config) { return ToJson(config); }

Json ConvNetConfigToJson(const ConvNetConfig& config) { return ToJson(config); }

Json GeneratorConfigToJson(const GeneratorConfig& config) {
  return ToJson(config);
}

Json NetworkConfigToJson(const NetworkConfig& config) {
  return std::visit([](const auto& network) { return ToJson(network); },
                    config);
}

absl::StatusOr<MlpConfig> MlpConfigFromJson(const Json& json) {
  MlpConfig config;
  LIPSCHITZ_RETURN_IF_ERROR(FromJson(json, "config", &config));
  return config;
}

absl::StatusOr<ConvNetConfig> ConvNetConfigFromJson(const Json& json) {
  ConvNetConfig config;
  LIPSCHITZ_RETURN_IF_ERROR(FromJson(json, "config", &config));
  return config;
}

absl::StatusOr<GeneratorConfig> GeneratorConfigFromJson(const Json& json) {
  GeneratorConfig config;
  LIPSCHITZ_RETURN_IF_ERROR(FromJson(json, "config", &config));
  return config;
}

absl::StatusOr<NetworkConfig> NetworkConfigFromJson(const std::string& kind,
                                                    const Json& json) {
  if (kind == NetworkKind(MlpConfig())) {
    LIPSCHITZ_ASSIGN_OR_RETURN(MlpConfig config, MlpConfigFromJson(json));
    return config;
  }
  if (kind == NetworkKind(ConvNetConfig())) {
    LIPSCHITZ_ASSIGN_OR_RETURN(ConvNetConfig config,
                               ConvNetConfigFromJson(json));
    return config;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a network of unknown kind '", kind, "'"));
}

}  // namespace lipschitz
