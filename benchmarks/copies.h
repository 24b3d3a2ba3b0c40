// Copying as a benchmark: the floor of whatever has to touch every entry once.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace lipschitz::benchmarks {

// "float" or "double".
std::string TypeName(at::ScalarType type);

// Declares the copying of `copies` tensors of the shape, each into memory that
// is there already. A map with its gradient takes two at least: x to y and the
// gradient for y to that for x. Counter "bytes": read and written.
void DeclareCopy(const std::string& name, const std::vector<int64_t>& shape,
                 at::ScalarType type, int copies);

}  // namespace lipschitz::benchmarks
