// A network as functions that are applied one after the other, so that
// diagnostics see what happens between them.
#pragma once

#include <torch/nn/modules/container/sequential.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lipschitz/activations/activation.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/diagnostics/linearisation.h"

namespace lipschitz {

struct NamedFunction {
  std::string name;
  BatchFunction function;
  // What it is, where it is an activation, and the dimension of its argument
  // along which its units lie.
  std::optional<ActivationSpec> activation;
  int64_t unit_dim = 1;
};

// The layers of ChainOf(network). Valid as long as the network is.
std::vector<NamedFunction> FunctionsOf(LayerImpl& network);

// The modules of LibTorch's own container, each of which must map a tensor to a
// tensor; ReLU and LeakyReLU are known as activations. Any other network of
// torch::nn modules is a list of functions that a caller writes down. Valid as
// long as the network is.
//
//   \code
//   torch::nn::Sequential network(torch::nn::Linear(784, 128),
//                                 torch::nn::ReLU(),
//                                 torch::nn::Linear(128, 10));
//   auto gradients = LayerGradients(FunctionsOf(*network), x, labels);
//   \endcode
std::vector<NamedFunction> FunctionsOf(torch::nn::SequentialImpl& network);

}  // namespace lipschitz
