#include "lipschitz/layers/pair_maximum.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>

namespace lipschitz {
namespace {

// Entries of the images that are worth a thread.
constexpr int64_t kGrain = 1 << 15;

// Of a window's entries, row by row, the largest, and where it is. Without
// branches, which random entries would mispredict.
template <typename T>
struct Largest {
  Largest(const T* upper, const T* lower) : value(upper[0]) {
    Consider(upper[1], 1);
    Consider(lower[0], 2);
    Consider(lower[1], 3);
  }

  void Consider(T entry, int place) {
    const bool larger = (entry > value) | (entry != entry);
    value = larger ? entry : value;
    position = larger ? place : position;
  }

  T value;
  int position = 0;
};

// Calls action(largest, offset of the window's upper left entry in the images,
// offset in the result) for every window.
template <typename T, typename Action>
void ForEveryWindow(const at::Tensor& x, const Action& action) {
  const int64_t height = x.size(2);
  const int64_t width = x.size(3);
  const int64_t plane = height * width;
  const int64_t rows = height / 2;
  const int64_t columns = width / 2;
  const T* const data = x.data_ptr<T>();
  at::parallel_for(
      0, x.size(0) * x.size(1), std::max<int64_t>(1, kGrain / plane),
      [&](int64_t begin, int64_t end) {
        for (int64_t image = begin; image < end; ++image) {
          for (int64_t row = 0; row < rows; ++row) {
            const int64_t upper = image * plane + 2 * row * width;
            const int64_t out = (image * rows + row) * columns;
            for (int64_t column = 0; column < columns; ++column) {
              const int64_t corner = upper + 2 * column;
              action(Largest<T>(data + corner, data + corner + width), corner,
                     out + column);
            }
          }
        }
      });
}

at::Tensor EmptyResult(const at::Tensor& x) {
  return at::empty({x.size(0), x.size(1), x.size(2) / 2, x.size(3) / 2},
                   x.options());
}

// From the offset of a window's upper left entry to that of its largest.
int64_t Step(int position, int64_t width) {
  return (position & 1) + (position >> 1) * width;
}

at::Tensor Maxima(const at::Tensor& x) {
  at::Tensor result = EmptyResult(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "PairMaximum", [&] {
    scalar_t* const out = result.data_ptr<scalar_t>();
    ForEveryWindow<scalar_t>(
        x, [out](const Largest<scalar_t>& largest, int64_t /*corner*/,
                 int64_t i) { out[i] = largest.value; });
  });
  return result;
}

// Entries of `values` (of the images' shape) where those of `x` are largest.
at::Tensor Gathered(const at::Tensor& values, const at::Tensor& x) {
  at::Tensor result = EmptyResult(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "PairMaximum", [&] {
    const scalar_t* const in = values.data_ptr<scalar_t>();
    scalar_t* const out = result.data_ptr<scalar_t>();
    const int64_t width = x.size(3);
    ForEveryWindow<scalar_t>(
        x, [=](const Largest<scalar_t>& largest, int64_t corner, int64_t i) {
          out[i] = in[corner + Step(largest.position, width)];
        });
  });
  return result;
}

// `values` (of the result's shape) where the entries of `x` are largest, zeros
// elsewhere: the adjoint of Gathered.
at::Tensor Scattered(const at::Tensor& values, const at::Tensor& x) {
  at::Tensor result = at::zeros_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "PairMaximum", [&] {
    const scalar_t* const in = values.data_ptr<scalar_t>();
    scalar_t* const out = result.data_ptr<scalar_t>();
    const int64_t width = x.size(3);
    ForEveryWindow<scalar_t>(
        x, [=](const Largest<scalar_t>& largest, int64_t corner, int64_t i) {
          out[corner + Step(largest.position, width)] = in[i];
        });
  });
  return result;
}

// Gathered, or Scattered when `adjoint`; each is the other's gradient.
class Selection : public torch::autograd::Function<Selection> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& values, const at::Tensor& x,
                            bool adjoint) {
    context->save_for_backward({x});
    context->saved_data["adjoint"] = adjoint;
    return adjoint ? Scattered(values.contiguous(), x)
                   : Gathered(values.contiguous(), x);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    return {Selection::apply(gradients[0], context->get_saved_variables()[0],
                             !context->saved_data["adjoint"].toBool()),
            at::Tensor(), at::Tensor()};
  }
};

class Maximum : public torch::autograd::Function<Maximum> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x) {
    context->save_for_backward({x});
    return Maxima(x);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      torch::autograd::variable_list gradients) {
    return {Selection::apply(gradients[0],
                             context->get_saved_variables()[0].detach(),
                             /*adjoint=*/true)};
  }
};

}  // namespace

bool PairMaximumTakes(const at::Tensor& x) {
  return x.is_cpu() && x.dim() == 4 && x.is_contiguous() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

at::Tensor PairMaximum(const at::Tensor& x) {
  TORCH_CHECK(PairMaximumTakes(x),
              "PairMaximum: expected a contiguous float32 or float64 tensor "
              "(batch, channels, height, width) on the CPU, got ",
              x.toString(), " ", x.sizes());
  return Maximum::apply(x);
}

}  // namespace lipschitz
