#include "lipschitz/layers/chain.h"

#include <typeinfo>

#include "absl/strings/str_cat.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz {
namespace {

void Append(LayerImpl& layer, const std::string& name,
            std::vector<NamedLayer>* chain) {
  if (typeid(layer) != typeid(SequentialImpl)) {
    chain->push_back({name.empty() ? layer.name() : name, &layer});
    return;
  }
  auto& sequential = static_cast<SequentialImpl&>(layer);
  // Its layers, in their order, are all that it registers.
  const auto children = sequential.named_children();
  for (size_t i = 0; i < sequential.size(); ++i) {
    const std::string& child = children[i].key();
    Append(*sequential.layer(i),
           name.empty() ? child : absl::StrCat(name, ".", child), chain);
  }
}

}  // namespace

std::vector<NamedLayer> ChainOf(LayerImpl& network) {
  std::vector<NamedLayer> chain;
  Append(network, "", &chain);
  return chain;
}

}  // namespace lipschitz
