// A classifier taken apart for certification.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/layers/linear.h"

namespace lipschitz {

// head(body(x)), with the bounds that each layer states in its present mode and
// type. Containers inside containers are flattened. Only layers whose type is
// exactly Sequential or Linear are looked into: a class derived from them may
// compute something else, and stays whole.
struct NetworkParts {
  struct Part {
    LayerImpl* layer;
    BoundTable bounds;
  };

  std::string name;  // the network's
  std::vector<Part> body;
  // The last layer, where it is a Linear; else null, and `body` is everything.
  LinearImpl* head = nullptr;
  BoundTable head_bounds;
};

// Valid as long as the network is. An error where a layer states no bound.
absl::StatusOr<NetworkParts> TakeApart(LayerImpl& network);

}  // namespace lipschitz
