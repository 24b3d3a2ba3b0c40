#include "lipschitz/base/pairwise_distances.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "lipschitz/base/rounding.h"

namespace lipschitz {
namespace {

// A compute_mode of at::cdist: never by a matrix product.
constexpr int64_t kDirectly = 2;

// Above the root of the smallest positive float64.
constexpr double kSmallestRoot = 0x1p-536;

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

double PairwiseDistanceError(double distance, int64_t dim) {
  const auto terms = static_cast<double>(dim);
  // A difference, its square, up to dim − 1 additions in any order, the root;
  // one more from the computed distance to the exact one, that the error is
  // stated of.
  return distance * rounding::Gamma(terms + 4.0) +
         std::sqrt(terms) * kSmallestRoot;
}

}  // namespace lipschitz
