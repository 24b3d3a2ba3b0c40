// A user's images and labels from .npy files.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace lipschitz::tools {

// Images (n, d), (n, h, w) or (n, c, h, w) as (n, pixels), n ≥ 1: uint8 divided
// by 255 in float32, as the library's datasets are; float32 and float64 as they
// are. Every pixel is finite and, unless `any_range`, in [0, 1]. Errors name
// the file and the first image at fault.
absl::StatusOr<at::Tensor> ReadImages(const std::string& path, int64_t pixels,
                                      bool any_range);

// Labels (n) of any integer type, each in [0, classes), as int64.
absl::StatusOr<at::Tensor> ReadLabels(const std::string& path, int64_t n,
                                      int64_t classes);

}  // namespace lipschitz::tools
