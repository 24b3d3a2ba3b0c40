#include "tools/decimal.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_format.h"

namespace lipschitz::tools {
namespace {

// What the last of nine digits is worth.
double Unit(double value) {
  const std::string text = absl::StrFormat("%.8e", value);
  const int exponent = std::atoi(text.c_str() + text.find('e') + 1);
  return std::pow(10.0, exponent - 8);
}

}  // namespace

std::string NineDigits(double value) { return absl::StrFormat("%.9g", value); }

std::string NineDigitsUp(double value) {
  const std::string nearest = NineDigits(value);
  return std::strtod(nearest.c_str(), nullptr) >= value
             ? nearest
             : NineDigits(std::strtod(nearest.c_str(), nullptr) + Unit(value));
}

std::string NineDigitsDown(double value) {
  const std::string nearest = NineDigits(value);
  return std::strtod(nearest.c_str(), nullptr) <= value
             ? nearest
             : NineDigits(std::strtod(nearest.c_str(), nullptr) - Unit(value));
}

std::string Exact(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return std::string(text, end);
}

}  // namespace lipschitz::tools
