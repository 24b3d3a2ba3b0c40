#include "tests/testing/inference_mode.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

namespace lipschitz::testing {

::testing::AssertionResult ServesAutogradAfterInference(LayerImpl& layer,
                                                        const at::Tensor& x) {
  layer.eval();
  at::Tensor expected;
  {
    const c10::InferenceMode inference;
    expected = layer.forward(x).clone();
    const auto bounds = layer.LipschitzBounds();
    if (!bounds.ok()) {
      return ::testing::AssertionFailure() << bounds.status();
    }
  }
  const at::Tensor input = x.detach().clone().requires_grad_(true);
  const at::Tensor y = layer.forward(input);
  if (!y.equal(expected)) {
    return ::testing::AssertionFailure() << "other values than in inference";
  }
  y.sum().backward();
  if (!(input.grad().abs().max().item<double>() > 0.0)) {
    return ::testing::AssertionFailure() << "no gradient";
  }
  return ::testing::AssertionSuccess();
}

}  // namespace lipschitz::testing
