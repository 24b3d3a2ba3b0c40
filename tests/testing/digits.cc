#include "tests/testing/digits.h"

#include <ATen/ATen.h>

#include "lipschitz/data/random.h"
#include "tests/testing/data_files.h"

namespace lipschitz::testing {

LabelledImages SyntheticDigits(int64_t n, uint64_t seed, uint64_t noise_seed) {
  const RandomSource pictures(seed);
  const RandomSource noise(noise_seed);
  const at::Tensor picture =
      at::randint(0, 200, {10, 1, 7, 7}, pictures.generator(), at::kFloat)
          .repeat_interleave(4, 2)
          .repeat_interleave(4, 3);
  LabelledImages images;
  images.labels = at::arange(n, at::kLong).remainder(10);
  images.images =
      (picture.index_select(0, images.labels) +
       at::randint(0, 56, {n, 1, 28, 28}, noise.generator(), at::kFloat))
          .to(at::kByte);
  return images;
}

std::string SyntheticMnist(const std::string& folder, int64_t train,
                           int64_t test) {
  WriteMnist(folder + "/mnist", SyntheticDigits(train, 1, 2),
             SyntheticDigits(test, 1, 3));
  return folder;
}

}  // namespace lipschitz::testing
