#include "lipschitz/models/tensor_file.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <torch/serialize.h>

#include <cstdint>
#include <mutex>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/sealed_file.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kSchema = 1;

std::string TensorKey(size_t index) { return absl::StrCat("tensor", index); }

// Everything but the tensors; their names to `names`.
absl::StatusOr<TensorFile> ParseDescription(
    const std::string& text, const std::vector<std::string>& fields,
    std::vector<std::string>* names) {
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
  std::vector<std::string> expected = fields;
  expected.insert(expected.end(), {"metadata", "tensors"});
  for (const std::string& key : expected) {
    if (!json.contains(key)) return malformed(absl::StrCat("no ", key));
  }
  if (json.size() != expected.size() + 1) {
    return malformed("it has a field of no known name");
  }
  TensorFile file;
  for (const std::string& field : fields) file.fields[field] = json[field];
  if (!json["metadata"].is_object()) return malformed("metadata is no object");
  for (const auto& item : json["metadata"].items()) {
    if (!item.value().is_string()) {
      return malformed(
          absl::StrCat("the metadata '", item.key(), "' is no text"));
    }
    file.metadata[item.key()] = item.value().get<std::string>();
  }
  if (!json["tensors"].is_array()) return malformed("tensors is no array");
  for (const Json& name : json["tensors"]) {
    if (!name.is_string()) return malformed("a tensor's name is no text");
    names->push_back(name.get<std::string>());
  }
  return file;
}

absl::StatusOr<NamedTensors> ReadTensors(
    const std::string& bytes, const std::vector<std::string>& names) {
  torch::serialize::InputArchive archive;
  std::istringstream stream(bytes);
  archive.load_from(stream);
  NamedTensors tensors;
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

}  // namespace

std::string FormatTensorFile(const std::string& kind, const TensorFile& file) {
  Json names = Json::array();
  torch::serialize::OutputArchive archive;
  for (const auto& [name, tensor] : file.tensors) {
    // A copy: of a view, the archive would hold all that it is a view of.
    archive.write(TensorKey(names.size()),
                  tensor.detach().cpu().contiguous().clone(),
                  /*is_buffer=*/true);
    names.push_back(name);
  }
  Json description = {{"schema", kSchema}};
  description.update(file.fields);
  description["metadata"] = Json::object();
  for (const auto& [key, text] : file.metadata) {
    description["metadata"][key] = text;
  }
  description["tensors"] = names;
  std::ostringstream content;
  content << description.dump() << "\n";
  archive.save_to(content);
  return Seal(kind, std::move(content).str());
}

absl::StatusOr<TensorFile> ParseTensorFile(
    const std::string& kind, const std::string& name,
    const std::string& content, const std::vector<std::string>& fields) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::string payload,
                             Unseal(kind, name, content));
  const std::string what = absl::StrCat("the ", kind, " ", name);
  auto file = CatchTorch(what, [&]() -> absl::StatusOr<TensorFile> {
    // Without a line feed, both are all of it, and no JSON.
    const size_t end = payload.find('\n');
    std::vector<std::string> names;
    LIPSCHITZ_ASSIGN_OR_RETURN(
        TensorFile read,
        ParseDescription(payload.substr(0, end), fields, &names));
    LIPSCHITZ_ASSIGN_OR_RETURN(read.tensors,
                               ReadTensors(payload.substr(end + 1), names));
    return read;
  });
  if (!file.ok() && !absl::IsInternal(file.status())) {
    return WithContext(file.status(), what);
  }
  return file;
}

NamedTensors StateOf(const torch::nn::Module& module) {
  NamedTensors state;
  for (const auto& item : module.named_parameters()) {
    state[item.key()] = item.value();
  }
  for (const auto& item : module.named_buffers()) {
    if (absl::EndsWith(item.key(), "num_batches_tracked")) continue;
    state[item.key()] = item.value();
  }
  return state;
}

absl::Status ExpectShape(const NamedTensors& tensors, const std::string& name,
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

absl::Status RestoreState(const NamedTensors& tensors,
                          torch::nn::Module& module) {
  const NamedTensors state = StateOf(module);
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
  return absl::OkStatus();
}

bool SameOutputs(const torch::Tensor& given, const torch::Tensor& again) {
  const torch::Tensor expected = given.cpu();
  return expected.sizes() == again.sizes() &&
         (!at::isfinite(expected).all().item<bool>() ||
          ((expected - again).abs().max() <= 1e-4 * expected.abs().max())
              .item<bool>());
}

KeepGenerator::KeepGenerator()
    : generator_(at::globalContext().defaultGenerator(at::kCPU)) {
  const std::lock_guard<std::mutex> lock(generator_.mutex());
  state_ = generator_.get_state();
}

KeepGenerator::~KeepGenerator() {
  const std::lock_guard<std::mutex> lock(generator_.mutex());
  generator_.set_state(state_);
}

}  // namespace lipschitz
