// A chain of linear layers and activations as plain numbers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/layer.h"

namespace lipschitz {

// y = W x + b, the layer's scale included.
struct AffineMap {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<double> weight;  // row by row
  std::vector<double> bias;    // `rows`
};

struct ChainStep {
  // As ChainOf names the layer.
  std::string layer;
  // Else an activation.
  bool is_affine = false;
  AffineMap affine;
  // The slope of LeakyReLU is that which the layer's type multiplies by.
  ActivationSpec activation;
  // Of the values before the step.
  int64_t width = 0;
};

// The layers of `network`, which must be exactly Linear, Activation or Dropout
// (left out), the first a Linear, in evaluation and in the network's type.
// FailedPrecondition that names the layer where they are not, InvalidArgument
// where widths do not fit.
absl::StatusOr<std::vector<ChainStep>> AffineChainOf(LayerImpl& network);

// What one activation does around a point: unit i of the output is factor ·
// unit `source` of the input.
struct Selection {
  int64_t source = 0;
  double factor = 1.0;
};

// The selections of an activation at these values. At ties those of the
// activations' documented subgradients.
std::vector<Selection> SelectionsAt(const ActivationSpec& activation,
                                    const std::vector<double>& values);

// The pairs (i, j) of units on whose difference v_i − v_j the selections
// depend; j = −1: on v_i alone.
std::vector<std::pair<int64_t, int64_t>> DecidingPairs(
    const ActivationSpec& activation, int64_t width);

}  // namespace lipschitz
