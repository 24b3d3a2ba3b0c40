#include "lipschitz/base/layer.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz {

absl::StatusOr<BoundTable> LayerImpl::LipschitzBounds() {
  return absl::FailedPreconditionError(
      absl::StrCat("layer '", name(),
                   "' states no bound on its Lipschitz constant, so nothing "
                   "that contains it can be certified"));
}

absl::StatusOr<double> LayerImpl::LipschitzBound(Norm in, Norm out) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const BoundTable bounds, LipschitzBounds());
  const double bound = bounds.At(in, out);
  if (!std::isfinite(bound)) {
    return absl::FailedPreconditionError(
        absl::StrCat("layer '", name(), "' has no finite Lipschitz bound from ",
                     NormName(in), " to ", NormName(out)));
  }
  return bound;
}

}  // namespace lipschitz
