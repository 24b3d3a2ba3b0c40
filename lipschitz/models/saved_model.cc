#include "lipschitz/models/saved_model.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/status.h"
#include "lipschitz/models/network_json.h"
#include "lipschitz/models/tensor_file.h"

namespace lipschitz {
namespace {

constexpr char kKind[] = "model";

// Hold what the network allocates to the size of the tensors that are there.
absl::Status CheckSizes(const MlpConfig& config, const NamedTensors& tensors) {
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

absl::Status CheckSizes(const ConvNetConfig& config,
                        const NamedTensors& tensors) {
  // A constraint's raw parameters are fewer than the entries of the kernel for
  // which they stand by its area at most: an orthogonal kernel of one channel
  // has a single one.
  double most_per_parameter = 32.0;
  for (const ConvStage& stage : config.stages) {
    const double side = static_cast<double>(stage.kernel);
    most_per_parameter = std::max(most_per_parameter, side * side);
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const double needed, config.WeightCount());
  double there = 0.0;
  for (const auto& [name, tensor] : tensors) {
    there += static_cast<double>(tensor.numel());
  }
  if (needed <= most_per_parameter * there) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its config is of ", needed,
                   " weights, and its tensors have only ", there, " entries"));
}

absl::StatusOr<Sequential> Build(const NetworkConfig& config,
                                 const NamedTensors& tensors) {
  LIPSCHITZ_RETURN_IF_ERROR(std::visit(
      [&](const auto& sizes) { return CheckSizes(sizes, tensors); }, config));
  const KeepGenerator keep;
  LIPSCHITZ_ASSIGN_OR_RETURN(Sequential network, MakeNetwork(config));
  network->to(tensors.begin()->second.scalar_type());
  LIPSCHITZ_RETURN_IF_ERROR(RestoreState(tensors, *network));
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
      network->forward(x.to(network->parameters().front().device()));
  if (SameOutputs(given, loaded->forward(x))) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the network does not compute what its config describes");
}

}  // namespace

absl::Status SaveModel(const std::string& path, const NetworkConfig& config,
                       Sequential& network, const ModelMetadata& metadata) {
  const std::string what = absl::StrCat("cannot save the model ", path);
  std::string content;
  LIPSCHITZ_RETURN_IF_ERROR(CatchTorch(what, [&] {
    TensorFile file;
    file.fields["network"] = NetworkKind(config);
    file.fields["config"] = NetworkConfigToJson(config);
    file.metadata = metadata;
    file.tensors = StateOf(*network);
    content = FormatTensorFile(kKind, file);
  }));
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
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TensorFile file,
      ParseTensorFile(kKind, name, content, {"network", "config"}));
  const std::string what = absl::StrCat("the model ", name);
  auto model = CatchTorch(what, [&]() -> absl::StatusOr<SavedModel> {
    const auto& kind = file.fields["network"];
    if (!kind.is_string()) {
      return absl::InvalidArgumentError(
          "its description is malformed: network is no text");
    }
    SavedModel read;
    LIPSCHITZ_ASSIGN_OR_RETURN(
        read.config,
        NetworkConfigFromJson(kind.get<std::string>(), file.fields["config"]));
    LIPSCHITZ_RETURN_IF_ERROR(ValidateNetwork(read.config));
    LIPSCHITZ_ASSIGN_OR_RETURN(read.network, Build(read.config, file.tensors));
    read.metadata = std::move(file.metadata);
    return read;
  });
  if (!model.ok() && !absl::IsInternal(model.status())) {
    return WithContext(model.status(), what);
  }
  return model;
}

}  // namespace lipschitz
