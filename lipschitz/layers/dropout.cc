#include "lipschitz/layers/dropout.h"

#include <ATen/ATen.h>

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"

namespace lipschitz {

absl::Status ValidateDropout(double rate) {
  if (rate >= 0.0 && rate < 1.0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "dropout: the rate must be at least 0 and below 1, got ", rate));
}

DropoutImpl::DropoutImpl(double rate) : LayerImpl("dropout"), rate_(rate) {
  const absl::Status valid = ValidateDropout(rate_);
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
}

torch::Tensor DropoutImpl::forward(const torch::Tensor& x) {
  return is_training() ? at::dropout(x, rate_, /*train=*/true) : x;
}

absl::StatusOr<BoundTable> DropoutImpl::LipschitzBounds() {
  return BoundTable::SameNorm(1.0);
}

void DropoutImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::Dropout(rate=" << rate_ << ")";
}

}  // namespace lipschitz
