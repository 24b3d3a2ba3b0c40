#include "lipschitz/linalg/block_convolution.h"

#include <ATen/ATen.h>

namespace lipschitz {

at::Tensor BlockConvolution(const at::Tensor& second, const at::Tensor& first) {
  // A cross-correlation with the flipped kernel is a convolution; the columns
  // of `first` are its images.
  return at::conv2d(first.transpose(0, 1), second.flip({2, 3}), /*bias=*/{},
                    /*stride=*/1,
                    /*padding=*/{second.size(2) - 1, second.size(3) - 1})
      .transpose(0, 1);
}

at::Tensor FollowByProjectors(const at::Tensor& kernel, const at::Tensor& basis,
                              int64_t dimension, bool reversed) {
  const auto padded = [&](int64_t before) {
    const int64_t after = 1 - before;
    return dimension == 2 ? at::constant_pad_nd(kernel, {0, 0, before, after})
                          : at::constant_pad_nd(kernel, {before, after, 0, 0});
  };
  // What P and what I − P is applied to.
  const at::Tensor of_p = padded(reversed ? 1 : 0);
  const at::Tensor of_rest = padded(reversed ? 0 : 1);
  if (basis.size(1) == 0) return of_rest;
  const int64_t channels = kernel.size(0);
  const at::Tensor difference = (of_p - of_rest).reshape({channels, -1});
  return of_rest +
         at::mm(basis, at::mm(basis.t(), difference)).reshape(of_rest.sizes());
}

}  // namespace lipschitz
