// Which units an activation compares.
#pragma once

#include <cstdint>

#include "lipschitz/activations/activation.h"

namespace lipschitz {

// Units per group of an activation that sorts, or takes the largest, of a layer
// `width` wide; 0 for those that treat each unit by itself.
int64_t UnitsPerGroup(const ActivationSpec& activation, int64_t width);

}  // namespace lipschitz
