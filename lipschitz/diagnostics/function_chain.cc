#include "lipschitz/diagnostics/function_chain.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/any.h>

#include <memory>
#include <utility>

#include "lipschitz/layers/chain.h"

namespace lipschitz {
namespace {

std::optional<ActivationSpec> SpecOf(const torch::nn::Module& module) {
  if (module.as<torch::nn::ReLU>() != nullptr) return ActivationSpec::Relu();
  if (const auto* leaky = module.as<torch::nn::LeakyReLU>()) {
    return ActivationSpec::LeakyRelu(leaky->options.negative_slope());
  }
  return std::nullopt;
}

}  // namespace

std::vector<NamedFunction> FunctionsOf(LayerImpl& network) {
  std::vector<NamedFunction> functions;
  for (const NamedLayer& item : ChainOf(network)) {
    NamedFunction function;
    function.name = item.name;
    function.function = ForwardOf(*item.layer);
    if (const auto* layer = dynamic_cast<const ActivationImpl*>(item.layer)) {
      function.activation = layer->spec();
      function.unit_dim = layer->dim();
    }
    functions.push_back(std::move(function));
  }
  return functions;
}

std::vector<NamedFunction> FunctionsOf(torch::nn::SequentialImpl& network) {
  std::vector<NamedFunction> functions;
  const auto names = network.named_children();
  for (size_t i = 0; i < network.size(); ++i) {
    // Copies of an AnyModule share the module.
    const auto module =
        std::make_shared<torch::nn::AnyModule>(*(network.begin() + i));
    NamedFunction function;
    function.name = names[i].key();
    function.function = [module](const at::Tensor& x) {
      return module->forward<at::Tensor>(x);
    };
    function.activation = SpecOf(*module->ptr());
    functions.push_back(std::move(function));
  }
  return functions;
}

}  // namespace lipschitz
