#include "lipschitz/linalg/matrix_check.h"

#include <ATen/ATen.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace lipschitz {

std::string ShapeString(const at::Tensor& tensor) {
  return absl::StrCat("(", absl::StrJoin(tensor.sizes(), ", "), ")");
}

absl::Status CheckMatrix(const at::Tensor& w, const std::string& what) {
  if (!w.defined()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": no tensor"));
  }
  if (w.dim() != 2 || w.numel() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": needs a matrix with entries, got the shape ", ShapeString(w)));
  }
  if (w.scalar_type() != at::kFloat && w.scalar_type() != at::kDouble) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": needs float32 or float64, got ",
                     c10::toString(w.scalar_type())));
  }
  const at::Tensor finite = at::isfinite(w.detach());
  if (!finite.all().item<bool>()) {
    const int64_t count = w.numel() - finite.sum().item<int64_t>();
    const at::Tensor where = finite.logical_not().nonzero()[0];
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": ", count, " of ", w.numel(),
        " entries are not finite, the first at (", where[0].item<int64_t>(),
        ", ", where[1].item<int64_t>(), ")"));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const at::Tensor& w, const std::string& what) {
  if (w.defined() && std::isfinite(w.detach().sum().item<double>())) {
    return absl::OkStatus();
  }
  return CheckMatrix(w, what);
}

}  // namespace lipschitz
