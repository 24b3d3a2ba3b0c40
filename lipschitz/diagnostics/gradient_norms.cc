#include "lipschitz/diagnostics/gradient_norms.h"

#include <torch/autograd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/dual_vectors.h"

namespace lipschitz {

absl::StatusOr<torch::Tensor> InputGradientNorms(LayerImpl& network,
                                                 const torch::Tensor& x,
                                                 Norm norm) {
  return CatchTorch("gradient norms", [&]() -> absl::StatusOr<torch::Tensor> {
    const torch::Tensor inputs = x.detach().requires_grad_(true);
    const torch::Tensor outputs = network.forward(inputs);
    if (outputs.numel() != x.size(0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("gradient norms: the network must have one output for "
                       "each of ",
                       x.size(0), " examples, it has ", outputs.numel()));
    }
    const torch::Tensor gradients =
        torch::autograd::grad({outputs.sum()}, {inputs})[0].flatten(1);
    return RowNorms(gradients, DualNorm(norm));
  });
}

}  // namespace lipschitz
