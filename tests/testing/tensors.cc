#include "tests/testing/tensors.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <sstream>

namespace lipschitz::testing {
namespace {

// Σ cos(i) y_i: every output takes part, none by the same weight.
at::Tensor Functional(const at::Tensor& y) {
  return (y.reshape({-1}) *
          at::arange(1, y.numel() + 1, y.options().requires_grad(false)).cos())
      .sum();
}

std::vector<at::Tensor> Leaves(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.detach()
                         .to(at::kDouble)
                         .contiguous()
                         .clone()
                         .requires_grad_(true));
  }
  return leaves;
}

::testing::AssertionResult FirstOrder(const TensorFunction& function,
                                      const std::vector<at::Tensor>& inputs,
                                      const GradientCheckOptions& options) {
  std::vector<at::Tensor> leaves = Leaves(inputs);
  const auto gradients = torch::autograd::grad(
      {Functional(function(leaves))}, leaves, {}, /*retain_graph=*/false,
      /*create_graph=*/false, /*allow_unused=*/true);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const at::Tensor gradient = gradients[i].defined()
                                    ? gradients[i].contiguous()
                                    : at::zeros_like(leaves[i]);
    for (int64_t j = 0; j < leaves[i].numel(); ++j) {
      std::vector<at::Tensor> moved;
      const auto value_at = [&](double offset) {
        moved = Leaves(inputs);
        {
          c10::NoGradGuard no_grad;
          moved[i].reshape({-1})[j].add_(offset);
        }
        return Functional(function(moved)).item<double>();
      };
      const double difference =
          (value_at(options.step) - value_at(-options.step)) /
          (2 * options.step);
      const double analytic = gradient.reshape({-1})[j].item<double>();
      if (!(std::abs(difference - analytic) <=
            options.absolute + options.relative * std::abs(difference))) {
        return ::testing::AssertionFailure()
               << "input " << i << ", entry " << j << ": autograd says "
               << analytic << ", finite differences say " << difference;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace

at::Tensor Matrix(const std::vector<std::vector<double>>& rows) {
  std::vector<at::Tensor> tensors;
  for (const auto& row : rows) {
    tensors.push_back(at::tensor(row, at::kDouble));
  }
  return at::stack(tensors);
}

::testing::AssertionResult TensorsNear(const at::Tensor& a, const at::Tensor& b,
                                       double tolerance) {
  if (a.sizes() != b.sizes()) {
    std::ostringstream text;
    text << "shapes differ: " << a.sizes() << " and " << b.sizes();
    return ::testing::AssertionFailure() << text.str();
  }
  if (a.numel() == 0) return ::testing::AssertionSuccess();
  const at::Tensor x = a.detach().to(at::kDouble);
  const at::Tensor y = b.detach().to(at::kDouble);
  const at::Tensor same = (x - y).abs() <= tolerance;
  const at::Tensor special =
      (x == y).logical_or(at::isnan(x).logical_and(at::isnan(y)));
  if (same.logical_or(special).all().item<bool>()) {
    return ::testing::AssertionSuccess();
  }
  std::ostringstream text;
  text << "largest difference " << (x - y).abs().max().item<double>()
       << " is above " << tolerance << ";\n"
       << x << "\nand\n"
       << y;
  return ::testing::AssertionFailure() << text.str();
}

at::Tensor SingularValues(const at::Tensor& matrix) {
  return at::linalg_svdvals(matrix.detach().to(at::kDouble));
}

at::Tensor Jacobian(
    const std::function<at::Tensor(const at::Tensor&)>& function,
    const at::Tensor& x) {
  const at::Tensor leaf = x.detach().clone().requires_grad_(true);
  const at::Tensor y = function(leaf).reshape({-1});
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < y.numel(); ++i) {
    rows.push_back(torch::autograd::grad({y[i]}, {leaf}, {},
                                         /*retain_graph=*/true)[0]
                       .reshape({-1}));
  }
  return at::stack(rows);
}

::testing::AssertionResult GradientsAgree(const TensorFunction& function,
                                          const std::vector<at::Tensor>& inputs,
                                          const GradientCheckOptions& options) {
  const auto first = FirstOrder(function, inputs, options);
  if (!first || !options.second_order) return first;
  const TensorFunction gradient = [&](const std::vector<at::Tensor>& leaves) {
    const auto gradients = torch::autograd::grad(
        {Functional(function(leaves))}, leaves, {}, /*retain_graph=*/true,
        /*create_graph=*/true, /*allow_unused=*/true);
    std::vector<at::Tensor> flat;
    for (size_t i = 0; i < leaves.size(); ++i) {
      // The zero keeps the graph where a gradient is constant.
      const at::Tensor zero = leaves[i].reshape({-1}) * 0;
      flat.push_back(gradients[i].defined() ? gradients[i].reshape({-1}) + zero
                                            : zero);
    }
    return at::cat(flat);
  };
  GradientCheckOptions second = options;
  second.second_order = false;
  return FirstOrder(gradient, inputs, second);
}

}  // namespace lipschitz::testing
