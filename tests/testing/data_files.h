// Small datasets in the formats in which they are published.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "lipschitz/data/labelled_images.h"

namespace lipschitz::testing {

// `bytes` as one gzip stream.
std::string Gzip(const std::string& bytes);

// The IDX file of a uint8 tensor.
std::string IdxBytes(const at::Tensor& values);

// The CIFAR-10 batch file of (n, 3, 32, 32) images.
std::string Cifar10Bytes(const LabelledImages& images);

// Random pixels; labels 0, 1, ..., 9, 0, ...
LabelledImages RandomImages(int64_t n, int64_t channels, int64_t side,
                            uint64_t seed);

// Writes `content` to `path`, whose folders are created; a failure otherwise.
void WriteData(const std::string& path, const std::string& content);

// Writes the four files of MNIST (or Fashion-MNIST) into `folder`, gzip, from
// (n, 1, 28, 28) images.
void WriteMnist(const std::string& folder, const LabelledImages& train,
                const LabelledImages& test);

}  // namespace lipschitz::testing
