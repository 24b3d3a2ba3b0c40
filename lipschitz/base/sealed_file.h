// Content that says what it is and by which damage is found.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lipschitz {

// `payload` (any bytes) behind two lines of text: "lipschitz KIND 1", and the
// payload's size in bytes and its CRC-32, both decimal.
std::string Seal(const std::string& kind, const std::string& payload);

// The payload of what Seal made. DataLoss where `content` is not of the kind,
// was cut off, or differs in a byte (a damage of more than four bytes passes
// with a probability of 2⁻³²). `name` is what the error calls it: the file's
// path.
absl::StatusOr<std::string> Unseal(const std::string& kind,
                                   const std::string& name,
                                   const std::string& content);

}  // namespace lipschitz
