// Images with their classes, kept as bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lipschitz {

struct LabelledImages {
  // uint8, (n, channels, height, width): a quarter of the memory of float32.
  at::Tensor images;
  // int64, (n).
  at::Tensor labels;

  int64_t size() const { return labels.defined() ? labels.size(0) : 0; }

  // Those at `indices` (int64), in their order.
  LabelledImages Select(const at::Tensor& indices) const;
};

// Bytes as float32 in [0, 1]: k/255, correctly rounded. The shape stays.
at::Tensor UnitPixels(const at::Tensor& bytes);

}  // namespace lipschitz
