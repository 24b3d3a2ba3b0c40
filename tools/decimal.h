// Numbers as text, for a person and for a program.
#pragma once

#include <string>

namespace lipschitz::tools {

// The nearest.
std::string NineDigits(double value);

// Not below `value`: for upper bounds.
std::string NineDigitsUp(double value);

// Not above `value`: for lower bounds.
std::string NineDigitsDown(double value);

// The shortest text that reads back as the same number.
std::string Exact(double value);

}  // namespace lipschitz::tools
