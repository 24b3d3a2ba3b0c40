// Dropout (N. Srivastava et al., JMLR 15, 2014).
#pragma once

#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"

namespace lipschitz {

// InvalidArgument unless `rate` is in [0, 1).
absl::Status ValidateDropout(double rate);

// In training every entry is set to 0 with probability `rate`, drawn from
// LibTorch's default generator, and otherwise divided by 1 − rate, so that its
// mean stays the same. In evaluation, to which the bound refers, the identity.
class DropoutImpl : public LayerImpl {
 public:
  // A c10::Error where the rate is not in [0, 1).
  explicit DropoutImpl(double rate);

  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;

  double rate() const { return rate_; }

 private:
  double rate_;
};
TORCH_MODULE(Dropout);

}  // namespace lipschitz
