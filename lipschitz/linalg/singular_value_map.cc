#include "lipschitz/linalg/singular_value_map.h"

#include <ATen/ATen.h>

#include <utility>

#include "lipschitz/linalg/gram.h"

namespace lipschitz {

at::Tensor MapSingularValues(const OddQuintic& p, const at::Tensor& x,
                             const at::Tensor& gram) {
  return MapSingularValues(p, x, gram, SymmetricSquare(gram));
}

at::Tensor MapSingularValues(const OddQuintic& p, const at::Tensor& x,
                             const at::Tensor& gram, at::Tensor&& square) {
  at::Tensor factor = std::move(square).mul_(p.c).add_(gram, p.b);
  factor.diagonal().add_(p.a);
  return x.size(0) <= x.size(1) ? at::mm(factor, x) : at::mm(x, factor);
}

}  // namespace lipschitz
