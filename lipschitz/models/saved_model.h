// A trained network in one file that describes itself.
//
// The file is sealed as a "model" (lipschitz/models/tensor_file.h). Its third
// line is a JSON text, {"schema": 1, "network": "mlp", "config": {every field
// of MlpConfig}, "metadata": {...}, "tensors": [names]}: `sed -n 3p` shows what
// is in it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/layers/sequential.h"
#include "lipschitz/models/metadata.h"
#include "lipschitz/models/network.h"

namespace lipschitz {

struct SavedModel {
  NetworkConfig config;
  // On the CPU, in evaluation mode.
  Sequential network{nullptr};
  ModelMetadata metadata;
};

// Writes `network`, which MakeNetwork(config) built, with every parameter and
// buffer; the file is whole or as it was. Before, what would be written is read
// again and compared, on a few inputs in evaluation.
//
// InvalidArgument for a config that is not the network's, and for parameters
// that are not finite, or not all of them float32 or all of them float64.
absl::Status SaveModel(const std::string& path, const NetworkConfig& config,
                       Sequential& network, const ModelMetadata& metadata);

// The model, whose outputs and bounds in evaluation are those of the network
// that was saved, bit for bit on the same machine. LibTorch's default generator
// is left as it was.
//
// Every error names the file: NotFound; DataLoss where it is no model or is
// damaged; FailedPrecondition where its schema is that of a later version;
// InvalidArgument for a directory and for a content that makes no sense: an
// unknown name, a config that the tensors' shapes contradict, numbers that are
// not finite.
absl::StatusOr<SavedModel> LoadModel(const std::string& path);

// The same from the file's content; `name` is what errors call it.
absl::StatusOr<SavedModel> ParseModel(const std::string& name,
                                      const std::string& content);

}  // namespace lipschitz
