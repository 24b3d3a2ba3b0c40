// Many small images in one PNG file.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz::experiments {

// The file of one image: uint8, (1, height, width) grey or (3, height, width)
// red, green and blue. The same bytes for the same image and zlib.
// InvalidArgument for another type or shape.
absl::StatusOr<std::string> EncodePng(const at::Tensor& image);

// Images (n, channels, height, width), row by row with two black pixels between
// them, as one (channels, ...).
at::Tensor ImageGrid(const at::Tensor& images, int64_t columns);

struct GridShape {
  // Of one image.
  int64_t channels = 1;
  int64_t height = 0;
  int64_t width = 0;
  // Images in a row.
  int64_t columns = 8;
};

// Writes the grid of flat images, (n, channels · height · width) in [−1, 1], as
// PNG; the file is whole or as it was.
absl::Status WriteImageGrid(const std::string& path, const at::Tensor& images,
                            const GridShape& shape);

}  // namespace lipschitz::experiments
