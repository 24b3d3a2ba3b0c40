// Named tensors and what they are the state of, in one sealed file: what the
// formats of models and of generators share.
#pragma once

#include <ATen/core/Generator.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/models/metadata.h"

namespace lipschitz {

using NamedTensors = std::map<std::string, torch::Tensor>;

struct TensorFile {
  // What the tensors belong to, in the order in which it is written.
  nlohmann::ordered_json fields = nlohmann::ordered_json::object();
  ModelMetadata metadata;
  NamedTensors tensors;
};

// A file sealed as `kind` (lipschitz/base/sealed_file.h). Its third line is a
// JSON text: {"schema": 1, the fields, "metadata": {...}, "tensors": [names]};
// what follows is a LibTorch archive with the tensors tensor0, tensor1, ... of
// those names. An exception of LibTorch or of the JSON library passes through.
std::string FormatTensorFile(const std::string& kind, const TensorFile& file);

// The inverse; the description has exactly the fields of these names. The
// tensors are finite and all float32 or all float64.
//
// Every error starts with "the KIND NAME" or names the file: DataLoss where it
// is of another kind or damaged; FailedPrecondition where its schema is that of
// a later version; InvalidArgument for a content that makes no sense.
absl::StatusOr<TensorFile> ParseTensorFile(
    const std::string& kind, const std::string& name,
    const std::string& content, const std::vector<std::string>& fields);

// Every parameter and buffer, by name, but the counters of batch normalisation
// (num_batches_tracked): they do not enter what it computes, and
// module.to(type) makes other numbers than whole ones of them.
NamedTensors StateOf(const torch::nn::Module& module);

// InvalidArgument, naming the tensor and both shapes, unless it is there in
// this one.
absl::Status ExpectShape(const NamedTensors& tensors, const std::string& name,
                         at::IntArrayRef shape);

// Copies the tensors to where StateOf found them; InvalidArgument where one is
// missing, has another shape or no place.
absl::Status RestoreState(const NamedTensors& tensors,
                          torch::nn::Module& module);

// Whether `again`, on the CPU, is what `given` is, up to how another device
// rounds. What is not finite says nothing.
bool SameOutputs(const torch::Tensor& given, const torch::Tensor& again);

// While it lives, keeps LibTorch's default generator, from which a network's
// first weights are drawn, as it is.
class KeepGenerator {
 public:
  KeepGenerator();
  ~KeepGenerator();
  KeepGenerator(const KeepGenerator&) = delete;
  KeepGenerator& operator=(const KeepGenerator&) = delete;

 private:
  at::Generator generator_;
  torch::Tensor state_;
};

}  // namespace lipschitz
