// Uniform distributions on spheres, the paper's distributions with a known
// distance.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "lipschitz/data/random.h"

namespace lipschitz {

// A sphere of the given radius around one centre of a list, all equally likely.
struct SphericalShells {
  int64_t dim = 1;
  double radius = 1.0;
  // First coordinates of the centres; their other coordinates are zero.
  std::vector<double> centres = {0.0};
  // Sample i is around centre i mod their number, so that two samples of equal
  // size have as much mass around each; otherwise every sample draws its
  // centre.
  bool balanced = false;

  absl::Status Validate() const;

  // (samples, dim) float32. In one dimension a sphere is its two ends, each
  // with probability 1/2. A radius of 0 gives the centres themselves.
  at::Tensor Sample(int64_t samples, const RandomSource& random) const;
};

}  // namespace lipschitz
