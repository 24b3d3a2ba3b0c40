// NumPy's .npy files (numpy.org/doc/stable/reference/generated/
// numpy.lib.format.html).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lipschitz {

// Versions 1 to 3, C or Fortran order, little-endian float16, float32,
// float64, int8 to int64, uint8 and bool; raw or gzip. The tensor is contiguous
// and has the array's shape and type. Big-endian, unsigned types that LibTorch
// lacks, Python objects, records and .npz archives are errors that name the
// file and say how to save it instead.
absl::StatusOr<at::Tensor> ReadNpy(const std::string& path);

// The same from the file's content; `name` is what errors call it.
absl::StatusOr<at::Tensor> ParseNpy(const std::string& name,
                                    std::string content);

// Writes a tensor of one of those types: version 1, C order; the file is whole
// or not there.
absl::Status WriteNpy(const std::string& path, const at::Tensor& tensor);

}  // namespace lipschitz
