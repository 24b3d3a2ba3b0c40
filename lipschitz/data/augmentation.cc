#include "lipschitz/data/augmentation.h"

#include <ATen/ATen.h>

namespace lipschitz {

at::Tensor ShiftRandomly(const at::Tensor& images, int64_t most,
                         const RandomSource& random) {
  TORCH_CHECK(images.dim() == 4 && most >= 0,
              "ShiftRandomly: needs (n, channels, height, width) and a shift "
              "that is not negative, got ",
              images.sizes(), " and ", most);
  if (most == 0) return images;
  const int64_t n = images.size(0);
  const at::Tensor padded =
      at::constant_pad_nd(images, {most, most, most, most});
  const at::Tensor start =
      at::randint(0, 2 * most + 1, {2, n, 1}, random.generator(), at::kLong)
          .to(images.device());
  const auto range = [&](int64_t size) {
    return at::arange(size, start.options());
  };
  return padded.index(
      {range(n).reshape({n, 1, 1, 1}),
       range(images.size(1)).reshape({1, -1, 1, 1}),
       (start[0] + range(images.size(2))).reshape({n, 1, -1, 1}),
       (start[1] + range(images.size(3))).reshape({n, 1, 1, -1})});
}

}  // namespace lipschitz
