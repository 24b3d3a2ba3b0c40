// Comparing tensors, and gradients with finite differences.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace lipschitz::testing {

// A float64 matrix from nested braces: Matrix({{1, 2}, {3, 4}}).
at::Tensor Matrix(const std::vector<std::vector<double>>& rows);

// Same shape and every |a − b| ≤ tolerance (two NaN are equal, and so are two
// infinities of one sign); else a failure that shows both.
// EXPECT_TRUE(TensorsNear(a, b, 1e-6)).
::testing::AssertionResult TensorsNear(const at::Tensor& a, const at::Tensor& b,
                                       double tolerance);

// The singular values of a matrix in float64, descending.
at::Tensor SingularValues(const at::Tensor& matrix);

// The Jacobian of function at x by reverse differentiation: (outputs, inputs),
// both flattened, in the type of x.
at::Tensor Jacobian(
    const std::function<at::Tensor(const at::Tensor&)>& function,
    const at::Tensor& x);

using TensorFunction =
    std::function<at::Tensor(const std::vector<at::Tensor>&)>;

struct GradientCheckOptions {
  double step = 1e-6;
  double absolute = 1e-7;
  double relative = 1e-5;
  // Also differentiates the gradient.
  bool second_order = false;
};

// Compares autograd's gradient of a fixed pseudo-random linear functional of
// function(inputs) with central differences, for every entry of every input
// (float64). The function must be differentiable around the inputs.
::testing::AssertionResult GradientsAgree(
    const TensorFunction& function, const std::vector<at::Tensor>& inputs,
    const GradientCheckOptions& options = {});

}  // namespace lipschitz::testing
