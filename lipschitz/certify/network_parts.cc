#include "lipschitz/certify/network_parts.h"

#include <typeinfo>

#include "lipschitz/layers/sequential.h"

namespace lipschitz {
namespace {

void Flatten(LayerImpl& layer, std::vector<LayerImpl*>* layers) {
  if (typeid(layer) != typeid(SequentialImpl)) {
    layers->push_back(&layer);
    return;
  }
  auto& sequential = static_cast<SequentialImpl&>(layer);
  for (size_t i = 0; i < sequential.size(); ++i) {
    Flatten(*sequential.layer(i), layers);
  }
}

}  // namespace

NetworkParts SplitNetwork(LayerImpl& network) {
  NetworkParts parts;
  Flatten(network, &parts.body);
  if (!parts.body.empty()) {
    LayerImpl& last = *parts.body.back();
    if (typeid(last) == typeid(LinearImpl)) {
      parts.head = static_cast<LinearImpl*>(&last);
      parts.body.pop_back();
    }
  }
  return parts;
}

}  // namespace lipschitz
