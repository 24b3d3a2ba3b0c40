#include "tools/decimal.h"

#include <cstdlib>

#include "absl/strings/str_format.h"

namespace lipschitz::tools {

std::string NineDigits(double value) { return absl::StrFormat("%.9g", value); }

std::string NineDigitsUp(double value) {
  const std::string nearest = NineDigits(value);
  return std::strtod(nearest.c_str(), nullptr) >= value
             ? nearest
             : NineDigits(value * (1.0 + 5e-9));
}

}  // namespace lipschitz::tools
