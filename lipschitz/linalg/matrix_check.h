// Checks that every routine on matrices makes of its argument.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/status.h"

namespace lipschitz {

// InvalidArgument, naming `what` and the numbers, unless `w` is a float32 or
// float64 matrix with at least one entry and every entry finite.
absl::Status CheckMatrix(const at::Tensor& w, const std::string& what);

// Its last condition alone, at the price of a sum. A single entry that is
// not finite makes the sum so; finite ones may too, by overflow, so it only
// asks for a closer look.
absl::Status CheckFinite(const at::Tensor& w, const std::string& what);

// "(3, 4)".
std::string ShapeString(const at::Tensor& tensor);

}  // namespace lipschitz
