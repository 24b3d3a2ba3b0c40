// Training images changed in ways that leave their class.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lipschitz/data/random.h"

namespace lipschitz {

// Every image of (n, channels, height, width), of any type, moved by whole
// pixels: by −most to most in either direction, drawn uniformly. Zeros come in
// at the edges. `most` must not be negative.
at::Tensor ShiftRandomly(const at::Tensor& images, int64_t most,
                         const RandomSource& random);

}  // namespace lipschitz
