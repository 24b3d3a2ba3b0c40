// The IDX format of MNIST and Fashion-MNIST (yann.lecun.com/exdb/mnist).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace lipschitz {

// The unsigned bytes of an IDX file, raw or gzip: a uint8 tensor with `rank`
// dimensions; 3 for images (images, rows, columns), 1 for labels. Whatever is
// not exactly that is an error that names the file.
absl::StatusOr<at::Tensor> ReadIdx(const std::string& path, int64_t rank);

// The same from the file's content; `name` is what errors call it.
absl::StatusOr<at::Tensor> ParseIdx(const std::string& name,
                                    std::string content, int64_t rank);

}  // namespace lipschitz
