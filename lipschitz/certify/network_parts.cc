#include "lipschitz/certify/network_parts.h"

#include <typeinfo>

#include "lipschitz/base/status.h"
#include "lipschitz/layers/chain.h"
#include "lipschitz/layers/dropout.h"

namespace lipschitz {
namespace {

// Certificates are about evaluation, where dropout is the identity.
bool IsIdentity(const LayerImpl& layer) {
  return typeid(layer) == typeid(DropoutImpl);
}

}  // namespace

absl::StatusOr<NetworkParts> TakeApart(LayerImpl& network) {
  NetworkParts parts;
  parts.name = network.name();
  for (const NamedLayer& item : ChainOf(network)) {
    if (IsIdentity(*item.layer)) continue;
    LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable bounds,
                               item.layer->LipschitzBounds());
    parts.body.push_back({item.layer, bounds});
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
