// What is said of a trained network in its file.
#pragma once

#include <map>
#include <string>

namespace lipschitz {

// What a user should know of a model: the experiment and dataset that it comes
// from, the norm, the shape and range of its inputs, the names of its classes,
// the commit, ... Free text (UTF-8), not interpreted here.
using ModelMetadata = std::map<std::string, std::string>;

}  // namespace lipschitz
