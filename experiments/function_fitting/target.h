// The functions to fit, by name.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "experiments/function_fitting/grid.h"
#include "lipschitz/base/norm.h"

namespace lipschitz::experiments {

// A function that is 1-Lipschitz in `norm` on a box.
struct Target {
  Box box;
  Norm norm = Norm::kL2;
  // (n, box.dim) → (n), in the type of its argument.
  std::function<at::Tensor(const at::Tensor&)> value;
};

// On [−2, 2], where all norms agree (l2 is stated):
//   triangleN  slopes ±1 in N pieces, within ±2/N
//   randomN    N pieces of random lengths and slopes in [−1, 1]; a function for
//              every seed
//   sine       sin(πx)/π
// On [−1, 1]², in the norm l2 or linf that ends the name:
//   distance_  from the nearest of three points: a minimum of cones
//   peak_      the maximum of that and a cone that opens downwards
// InvalidArgument, with the names that there are, for any other.
absl::StatusOr<Target> MakeTarget(const std::string& name, uint64_t seed);

}  // namespace lipschitz::experiments
