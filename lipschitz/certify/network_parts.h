// A classifier taken apart for certification.
#pragma once

#include <vector>

#include "lipschitz/base/layer.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {

// head(body(x)). Containers inside containers are flattened. Only layers whose
// type is exactly Sequential or Linear are looked into: a class derived from
// them may compute something else, and stays whole.
struct NetworkParts {
  std::vector<LayerImpl*> body;
  // The last layer, where it is a Linear; else null, and `body` is everything.
  LinearImpl* head = nullptr;
};

// Valid as long as the network is.
NetworkParts SplitNetwork(LayerImpl& network);

}  // namespace lipschitz
