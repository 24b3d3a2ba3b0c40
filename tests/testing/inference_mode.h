// Layers under c10::InferenceMode.
#pragma once

#include <ATen/core/Tensor.h>

#include "gtest/gtest.h"
#include "lipschitz/base/layer.h"

namespace lipschitz::testing {

// Evaluates and bounds the layer in inference mode, then checks that it gives
// the same values at `x` outside, and a gradient there: whatever it has kept
// must not be a tensor that autograd refuses.
::testing::AssertionResult ServesAutogradAfterInference(LayerImpl& layer,
                                                        const at::Tensor& x);

}  // namespace lipschitz::testing
