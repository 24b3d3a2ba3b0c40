#include "lipschitz/base/pairwise_distances.h"

#include <ATen/ATen.h>

#include <limits>

#include "lipschitz/base/rounding.h"

namespace lipschitz {
namespace {

// A compute_mode of at::cdist: never by a matrix product.
constexpr int64_t kDirectly = 2;

double Exponent(Norm norm) {
  switch (norm) {
    case Norm::kL1:
      return 1.0;
    case Norm::kL2:
      return 2.0;
    case Norm::kLinf:
      break;
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace

at::Tensor PairwiseDistances(const at::Tensor& x, const at::Tensor& y,
                             Norm norm) {
  return at::cdist(x, y, Exponent(norm), kDirectly);
}

double PairwiseDistanceError(int64_t dim) {
  // A difference, its square, up to dim − 1 additions in any order, the root.
  return rounding::Gamma(static_cast<double>(dim) + 4.0);
}

}  // namespace lipschitz
