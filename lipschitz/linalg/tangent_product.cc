#include "lipschitz/linalg/tangent_product.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "lipschitz/linalg/stiefel.h"

namespace lipschitz {
namespace {

// The tangential part of aᵀb at W, for `a` (batch, rows) and `b` (batch,
// columns), from aW and bWᵀ, which are there already.
at::Tensor TangentOuterProduct(const at::Tensor& a, const at::Tensor& b,
                               const at::Tensor& a_w, const at::Tensor& b_wt,
                               const at::Tensor& w) {
  const int64_t rows = w.size(0);
  const int64_t columns = w.size(1);
  const auto minus_half = [](const at::Tensor& left, const at::Tensor& right,
                             const at::Tensor& from) {
    return at::addmm(from, left, right, /*beta=*/1, /*alpha=*/-0.5);
  };
  if (rows == columns) {
    return at::addmm(at::mm(b_wt.t(), a_w), a.t(), b, /*beta=*/-0.5,
                     /*alpha=*/0.5);
  }
  if (rows < columns) {
    return minus_half(b_wt.t(), a_w, at::mm(a.t(), minus_half(b_wt, w, b)));
  }
  return minus_half(b_wt.t(), a_w, at::mm(minus_half(a_w, w.t(), a).t(), b));
}

// x Wᵀ, or x W when `transposed`; x is a matrix.
class Product : public torch::autograd::Function<Product> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x, const at::Tensor& w,
                            bool transposed) {
    const at::Tensor result = transposed ? at::mm(x, w) : at::mm(x, w.t());
    context->save_for_backward({x, w, result});
    context->saved_data["transposed"] = transposed;
    context->saved_data["x_needs_gradient"] = x.requires_grad();
    return result;
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& w = saved[1];
    const at::Tensor& result = saved[2];
    const at::Tensor& delta = gradients[0];
    const bool transposed = context->saved_data["transposed"].toBool();
    const int64_t smaller = std::min(w.size(0), w.size(1));
    const bool small_batch =
        x.size(0) < (w.size(0) == w.size(1) ? 2 * smaller : smaller);
    at::Tensor x_gradient;
    if (small_batch || context->saved_data["x_needs_gradient"].toBool()) {
      x_gradient = Product::apply(delta, w, !transposed);
    }
    const at::Tensor& a = transposed ? x : delta;
    const at::Tensor& b = transposed ? delta : x;
    at::Tensor w_gradient;
    if (small_batch) {
      w_gradient = transposed
                       ? TangentOuterProduct(a, b, result, x_gradient, w)
                       : TangentOuterProduct(a, b, x_gradient, result, w);
    } else {
      w_gradient = ProjectOntoTangentSpace(at::mm(a.t(), b), w);
    }
    return {x_gradient, w_gradient, at::Tensor()};
  }
};

class Identity : public torch::autograd::Function<Identity> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& w) {
    context->save_for_backward({w});
    return w.view_as(w);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    return {ProjectOntoTangentSpace(gradients[0],
                                    context->get_saved_variables()[0])};
  }
};

}  // namespace

at::Tensor TangentProduct(const at::Tensor& x, const at::Tensor& w) {
  if (!w.requires_grad()) return at::matmul(x, w.t());
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = w.size(0);
  return Product::apply(x.reshape({-1, x.size(-1)}), w, false).reshape(shape);
}

at::Tensor WithTangentGradient(const at::Tensor& w) {
  return w.requires_grad() ? Identity::apply(w) : w;
}

}  // namespace lipschitz
