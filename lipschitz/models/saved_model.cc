#include "lipschitz/models/saved_model.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <torch/serialize.h>

#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/sealed_file.h"
#include "lipschitz/base/status.h"
#include "lipschitz/models/network_json.h"

namespace lipschitz {
namespace {

using Json = nlohmann::ordered_json;
using Tensors = std::map<std::string, torch::Tensor>;

constexpr char kKind[] = "model";
constexpr int64_t kSchema = 1;

// Keeps LibTorch's default generator, from which a network's first weights are
// drawn, as it is.
class KeepGenerator {
 public:
  KeepGenerator() : generator_(at::globalContext().defaultGenerator(at::kCPU)) {
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    state_ = generator_.get_state();
  }
  ~KeepGenerator() {
    const std::lock_guard<std::mutex> lock(generator_.mutex());
    generator_.set_state(state_);
  }
  KeepGenerator(const KeepGenerator&) = delete;
  KeepGenerator& operator=(const KeepGenerator&) = delete;

 private:
  at::Generator generator_;
  torch::Tensor state_;
};

// Every parameter and buffer, by name.
Tensors StateOf(const Sequential& network) {
  Tensors state;
  for (const auto& item : network->named_parameters()) {
    state[item.key()] = item.value();
  }
  for (const auto& item : network->named_buffers()) {
    state[item.key()] = item.value();
  }
  return state;
}

std::string TensorKey(size_t index) { return absl::StrCat("tensor", index); }

std::string Serialise(const NetworkConfig& config, const Sequential& network,
                      const ModelMetadata& metadata) {
  Json names = Json::array();
  torch::serialize::OutputArchive archive;
  for (const auto& [name, tensor] : StateOf(network)) {
    // A copy: of a view, the archive would hold all that it is a view of.
    archive.write(TensorKey(names.size()),
                  tensor.detach().cpu().contiguous().clone(),
                  /*is_buffer=*/true);
    names.push_back(name);
  }
  const Json description = {{"schema", kSchema},
                            {"network", NetworkKind(config)},
                            {"config", NetworkConfigToJson(config)},
                            {"metadata", metadata},
                            {"tensors", names}};
  std::ostringstream content;
  content << description.dump() << "\n";
  archive.save_to(content);
  return Seal(kKind, std::move(content).str());
}

// Of a file, beside its tensors.
struct Description {
  NetworkConfig config;
  ModelMetadata metadata;
  std::vector<std::string> tensors;
};

absl::StatusOr<Description> ParseDescription(const std::string& text) {
  const auto malformed = [](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat("its description is malformed: ", what));
  };
  const Json json =
      Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return malformed("no JSON object");
  const auto schema = json.find("schema");
  if (schema == json.end() || !schema->is_number_integer()) {
    return malformed("no schema");
  }
  if (*schema != kSchema) {
    return absl::FailedPreconditionError(absl::StrCat(
        "it is of schema ", schema->dump(), ", and this version reads schema ",
        kSchema,
        *schema > kSchema ? "; a later version of this program wrote it" : ""));
  }
  for (const char* key : {"network", "config", "metadata", "tensors"}) {
    if (!json.contains(key)) return malformed(absl::StrCat("no ", key));
  }
  if (json.size() != 5) return malformed("it has a field of no known name");
  if (!json["network"].is_string()) return malformed("network is no text");
  Description description;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      description.config,
      NetworkConfigFromJson(json["network"].get<std::string>(),
                            json["config"]));
  LIPSCHITZ_RETURN_IF_ERROR(ValidateNetwork(description.config));
  if (!json["metadata"].is_object()) return malformed("metadata is no object");
  for (const auto& item : json["metadata"].items()) {
    if (!item.value().is_string()) {
      return malformed(
          absl::StrCat("the metadata '", item.key(), "' is no text"));
    }
    description.metadata[item.key()] = item.value().get<std::string>();
  }
  if (!json["tensors"].is_array()) return malformed("tensors is no array");
  for (const Json& name : json["tensors"]) {
    if (!name.is_string()) return malformed("a tensor's name is no text");
    description.tensors.push_back(name.get<std::string>());
  }
  return description;
}

absl::StatusOr<Tensors> ReadTensors(const std::string& bytes,
                                    const std::vector<std::string>& names) {
  torch::serialize::InputArchive archive;
  std::istringstream stream(bytes);
  archive.load_from(stream);
  Tensors tensors;
  for (size_t i = 0; i < names.size(); ++i) {
    torch::Tensor tensor;
    archive.read(TensorKey(i), tensor, /*is_buffer=*/true);
    const torch::ScalarType type = tensor.scalar_type();
    if (type != torch::kFloat && type != torch::kDouble) {
      return absl::InvalidArgumentError(
          absl::StrCat("the tensor '", names[i], "' is of type ",
                       c10::toString(type), ", not float32 or float64"));
    }
    if (i > 0 && type != tensors.begin()->second.scalar_type()) {
      return absl::InvalidArgumentError(
          "its tensors are neither all float32 nor all float64");
    }
    if (!at::isfinite(tensor).all().item<bool>()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the tensor '", names[i], "' has values that are not finite"));
    }
    if (!tensors.emplace(names[i], tensor).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the tensor '", names[i], "' is there twice"));
    }
  }
  return tensors;
}

absl::Status ExpectShape(const Tensors& tensors, const std::string& name,
                         at::IntArrayRef shape) {
  const auto found = tensors.find(name);
  std::ostringstream expected;
  expected << shape;
  if (found == tensors.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("its config needs the tensor '", name, "' of shape ",
                     expected.str(), ", which is not there"));
  }
  if (found->second.sizes() == shape) return absl::OkStatus();
  std::ostringstream actual;
  actual << found->second.sizes();
  return absl::InvalidArgumentError(
      absl::StrCat("the tensor '", name, "' has the shape ", actual.str(),
                   ", its config needs ", expected.str()));
}

// Hold what the network allocates to the size of the tensors that are there.
absl::Status CheckSizes(const MlpConfig& config, const Tensors& tensors) {
  for (size_t i = 0; i <= config.hidden.size(); ++i) {
    const std::string name = absl::StrCat("linear", i + 1, ".weight");
    const auto found = tensors.find(name);
    const bool is_matrix = found != tensors.end() && found->second.dim() == 2;
    const int64_t rows =
        i < config.hidden.size() ? config.hidden[i] : config.output_dim;
    // How many columns the later layers need depends on the activations.
    const int64_t columns =
        i == 0 || !is_matrix ? config.input_dim : found->second.size(1);
    LIPSCHITZ_RETURN_IF_ERROR(ExpectShape(tensors, name, {rows, columns}));
  }
  return absl::OkStatus();
}

absl::Status CheckSizes(const ConvNetConfig& config, const Tensors& tensors) {
  // No constraint's raw parameters are that much fewer than the entries of the
  // kernels which they stand for.
  constexpr double kMostPerParameter = 32.0;
  LIPSCHITZ_ASSIGN_OR_RETURN(const double needed, config.WeightCount());
  double there = 0.0;
  for (const auto& [name, tensor] : tensors) {
    there += static_cast<double>(tensor.numel());
  }
  if (needed <= kMostPerParameter * there) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its config is of ", needed,
                   " weights, and its tensors have only ", there, " entries"));
}

absl::StatusOr<Sequential> Build(const NetworkConfig& config,
                                 const Tensors& tensors) {
  LIPSCHITZ_RETURN_IF_ERROR(std::visit(
      [&](const auto& sizes) { return CheckSizes(sizes, tensors); }, config));
  const KeepGenerator keep;
  LIPSCHITZ_ASSIGN_OR_RETURN(Sequential network, MakeNetwork(config));
  network->to(tensors.begin()->second.scalar_type());
  const Tensors state = StateOf(network);
  for (const auto& [name, tensor] : state) {
    LIPSCHITZ_RETURN_IF_ERROR(ExpectShape(tensors, name, tensor.sizes()));
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const auto place = state.find(name);
    if (place == state.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("its config has no place for the tensor '", name, "'"));
    }
    torch::Tensor(place->second).copy_(tensor);
  }
  network->eval();
  return network;
}

// Whether two networks do the same: the config holds more than the tensors'
// shapes show.
absl::Status ExpectSameOutputs(const NetworkConfig& config, Sequential& network,
                               Sequential& loaded) {
  const torch::NoGradGuard no_grad;
  const EvaluationMode evaluation(*network);
  const torch::Tensor x = at::arange(4 * InputDim(config), at::kDouble)
                              .cos()
                              .reshape({4, InputDim(config)})
                              .to(loaded->parameters().front().scalar_type());
  const torch::Tensor given =
      network->forward(x.to(network->parameters().front().device())).cpu();
  const torch::Tensor again = loaded->forward(x);
  // Another device rounds differently. What overflows says nothing.
  const bool same =
      given.sizes() == again.sizes() &&
      (!at::isfinite(given).all().item<bool>() ||
       ((given - again).abs().max() <= 1e-4 * given.abs().max()).item<bool>());
  if (same) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the network does not compute what its config describes");
}

}  // namespace

absl::Status SaveModel(const std::string& path, const NetworkConfig& config,
                       Sequential& network, const ModelMetadata& metadata) {
  const std::string what = absl::StrCat("cannot save the model ", path);
  std::string content;
  LIPSCHITZ_RETURN_IF_ERROR(CatchTorch(
      what, [&] { content = Serialise(config, network, metadata); }));
  auto loaded = ParseModel(path, content);
  if (!loaded.ok()) return WithContext(loaded.status(), "cannot save");
  LIPSCHITZ_RETURN_IF_ERROR(CatchTorch(what, [&] {
    return WithContext(ExpectSameOutputs(config, network, loaded->network),
                       what);
  }));
  return WriteFileAtomically(path, content);
}

absl::StatusOr<SavedModel> LoadModel(const std::string& path) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string content, ReadFile(path));
  return ParseModel(path, content);
}

absl::StatusOr<SavedModel> ParseModel(const std::string& name,
                                      const std::string& content) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string payload,
                             Unseal(kKind, name, content));
  const std::string what = absl::StrCat("the model ", name);
  auto model = CatchTorch(what, [&]() -> absl::StatusOr<SavedModel> {
    // Without a line feed, both are all of it, and no JSON.
    const size_t end = payload.find('\n');
    LIPSCHITZ_ASSIGN_OR_RETURN(Description description,
                               ParseDescription(payload.substr(0, end)));
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const Tensors tensors,
        ReadTensors(payload.substr(end + 1), description.tensors));
    SavedModel read;
    LIPSCHITZ_ASSIGN_OR_RETURN(read.network,
                               Build(description.config, tensors));
    read.config = std::move(description.config);
    read.metadata = std::move(description.metadata);
    return read;
  });
  if (!model.ok() && !absl::IsInternal(model.status())) {
    return WithContext(model.status(), what);
  }
  return model;
}

}  // namespace lipschitz
