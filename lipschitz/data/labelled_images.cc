#include "lipschitz/data/labelled_images.h"

#include <ATen/ATen.h>

namespace lipschitz {

LabelledImages LabelledImages::Select(const at::Tensor& indices) const {
  return {images.index_select(0, indices), labels.index_select(0, indices)};
}

at::Tensor UnitPixels(const at::Tensor& bytes) {
  TORCH_CHECK(bytes.scalar_type() == at::kByte,
              "UnitPixels: expected bytes (uint8), got ", bytes.scalar_type());
  return bytes.to(at::kFloat).div_(255.0);
}

}  // namespace lipschitz
