#include "lipschitz/certify/network_parts.h"

#include <typeinfo>

#include "lipschitz/base/status.h"
#include "lipschitz/layers/dropout.h"
#include "lipschitz/layers/sequential.h"

namespace lipschitz {
namespace {

// Certificates are about evaluation, where dropout is the identity.
bool IsIdentity(const LayerImpl& layer) {
  return typeid(layer) == typeid(DropoutImpl);
}

void Flatten(LayerImpl& layer, std::vector<LayerImpl*>* layers) {
  if (IsIdentity(layer)) return;
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

absl::StatusOr<NetworkParts> TakeApart(LayerImpl& network) {
  std::vector<LayerImpl*> layers;
  Flatten(network, &layers);
  NetworkParts parts;
  parts.name = network.name();
  for (LayerImpl* layer : layers) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable bounds,
                               layer->LipschitzBounds());
    parts.body.push_back({layer, bounds});
  }
  if (!parts.body.empty()) {
    const NetworkParts::Part last = parts.body.back();
    LayerImpl& layer = *last.layer;
    if (typeid(layer) == typeid(LinearImpl)) {
      parts.head = static_cast<LinearImpl*>(&layer);
      parts.head_bounds = last.bounds;
      parts.body.pop_back();
    }
  }
  return parts;
}

}  // namespace lipschitz
