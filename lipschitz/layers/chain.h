// A network as the list of its layers.
#pragma once

#include <string>
#include <vector>

#include "lipschitz/base/layer.h"

namespace lipschitz {

struct NamedLayer {
  // Under which it is registered, containers first: "block1.linear2"; the
  // layer's own name where it is the network itself.
  std::string name;
  LayerImpl* layer = nullptr;
};

// The layers that `network` applies one after the other; containers inside
// containers are flattened. Only what is exactly a Sequential is looked into: a
// class derived from it may compute something else, and stays whole, as do
// residual blocks. Valid as long as the network is.
std::vector<NamedLayer> ChainOf(LayerImpl& network);

}  // namespace lipschitz
