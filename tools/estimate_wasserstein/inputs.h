// A user's samples from .npy and CSV files.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"

namespace lipschitz::tools {

// Samples (n, d) in float64, n and d at least 1, all finite, from a .npy file
// of any type whose values float64 holds exactly, or else from a CSV file; a
// .npy array (n) is n points on the line. A file is .npy by its name or by its
// first bytes. Errors name the file, and the row and column at fault: of .npy
// from 0, as NumPy counts; of CSV from 1, as editors do.
absl::StatusOr<at::Tensor> ReadSamples(const std::string& path);

struct SamplePair {
  at::Tensor p;
  at::Tensor q;
};

// Both, of the same dimension.
absl::StatusOr<SamplePair> ReadSamplePair(const std::string& p,
                                          const std::string& q);

}  // namespace lipschitz::tools
