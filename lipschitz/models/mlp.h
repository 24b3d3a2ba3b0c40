// The multi-layer perceptron of the paper's experiments.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz {

struct MlpConfig {
  int64_t input_dim = 0;
  // Widths of the hidden layers, before their activations; may be empty (an
  // affine map).
  std::vector<int64_t> hidden;
  int64_t output_dim = 1;

  // Of every hidden layer; `activations`, when not empty, has one per hidden
  // layer and takes its place.
  ActivationSpec activation;
  std::vector<ActivationSpec> activations;

  // Of every linear layer; `constraints`, when not empty, has one per linear
  // layer (hidden.size() + 1) and takes its place.
  ConstraintOptions constraint;
  std::vector<ConstraintOptions> constraints;

  bool bias = true;
  // K of the whole network when every constrained layer has constant 1: each of
  // the L linear layers is scaled by K^{1/L}.
  double lipschitz_constant = 1.0;
  // The rate of dropout after every activation, in [0, 1); 0: none.
  double dropout = 0.0;

  // Names the layer and the numbers that do not fit.
  absl::Status Validate() const;
};

// Linear, activation, (dropout,) linear, ..., linear: (batch, input_dim) →
// (batch, output_dim). The parameters are called linear1.weight, linear1.bias,
// ...
absl::StatusOr<Sequential> MakeMlp(const MlpConfig& config);

}  // namespace lipschitz
