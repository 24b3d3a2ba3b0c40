// The sizes of a generator of images.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace lipschitz {

struct GeneratorConfig {
  // Of the noise that becomes an image.
  int64_t noise_dim = 62;
  // Of the images; 4 divides height and width.
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  // Width of the hidden dense layer, and channels at a quarter and at half of
  // the images' height and width.
  int64_t hidden = 1024;
  int64_t wide_channels = 128;
  int64_t narrow_channels = 64;

  int64_t OutputDim() const { return channels * height * width; }

  // Names what does not fit, with its numbers.
  absl::Status Validate() const;
};

}  // namespace lipschitz
