#include "lipschitz/layers/max_pool.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "lipschitz/layers/max_pool_kernel.h"

namespace lipschitz {
namespace {

// Of x: the planes that one thread takes at least, some 32 KiB.
int64_t PlanesAtATime(int64_t pixels) {
  return std::max<int64_t>(1, (int64_t{1} << 13) / pixels);
}

// Calls loop(x, from, planes, height, width, out) of the kernel for x's planes,
// on all threads; `from` and `out` have as many.
template <typename T, class Loop>
void ForPlanes(const Loop& loop, const at::Tensor& x, const at::Tensor& from,
               at::Tensor out) {
  const int64_t pixels = x.size(2) * x.size(3);
  const int64_t windows = (x.size(2) / 2) * (x.size(3) / 2);
  const int64_t from_size = from.size(2) == x.size(2) ? pixels : windows;
  const int64_t out_size = out.size(2) == x.size(2) ? pixels : windows;
  const T* const x_data = x.data_ptr<T>();
  const T* const from_data = from.data_ptr<T>();
  T* const out_data = out.data_ptr<T>();
  at::parallel_for(
      0, x.size(0) * x.size(1), PlanesAtATime(pixels),
      [&](int64_t begin, int64_t end) {
        loop(x_data + begin * pixels, from_data + begin * from_size,
             static_cast<size_t>(end - begin), static_cast<size_t>(x.size(2)),
             static_cast<size_t>(x.size(3)), out_data + begin * out_size);
      });
}

at::Tensor Gathered(const at::Tensor& x, const at::Tensor& image) {
  const at::Tensor from = image.contiguous();
  at::Tensor out =
      at::empty({x.size(0), x.size(1), x.size(2) / 2, x.size(3) / 2},
                x.options().requires_grad(false));
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "max_pool2d", [&] {
    ForPlanes<scalar_t>(GetMaxPoolKernel<scalar_t>().gather, x, from, out);
  });
  return out;
}

at::Tensor Scattered(const at::Tensor& x, const at::Tensor& windows) {
  const at::Tensor from = windows.contiguous();
  at::Tensor out = at::empty(x.sizes(), x.options().requires_grad(false));
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "max_pool2d", [&] {
    ForPlanes<scalar_t>(GetMaxPoolKernel<scalar_t>().scatter, x, from, out);
  });
  return out;
}

// `image` at the places that x has. Linear in the image; x, contiguous, has no
// derivative.
class Gather : public torch::autograd::Function<Gather> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& image, const at::Tensor& x) {
    context->save_for_backward({x});
    return Gathered(x, image);
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients);
};

// Its transpose.
class Scatter : public torch::autograd::Function<Scatter> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& windows, const at::Tensor& x) {
    context->save_for_backward({x});
    return Scattered(x, windows);
  }
  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients);
};

torch::autograd::variable_list Gather::backward(
    torch::autograd::AutogradContext* context,
    torch::autograd::variable_list gradients) {
  const at::Tensor x = context->get_saved_variables()[0];
  return {Scatter::apply(gradients[0], x), at::Tensor()};
}

torch::autograd::variable_list Scatter::backward(
    torch::autograd::AutogradContext* context,
    torch::autograd::variable_list gradients) {
  const at::Tensor x = context->get_saved_variables()[0];
  return {Gather::apply(gradients[0], x), at::Tensor()};
}

}  // namespace

at::Tensor MaxPool(const at::Tensor& x, int64_t kernel, int64_t stride) {
  const bool known =
      x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  if (kernel != 2 || stride != 2 || x.dim() != 4 || !x.is_cpu() || !known ||
      x.size(2) < 2 || x.size(3) < 2 || x.is_neg() ||
      x._fw_grad(/*level=*/0).defined()) {
    return at::max_pool2d(x, kernel, stride);
  }
  const at::Tensor places = x.detach().contiguous();
  if (!x.requires_grad() || !c10::GradMode::is_enabled()) {
    return Gathered(places, places);
  }
  return Gather::apply(x, places);
}

}  // namespace lipschitz
