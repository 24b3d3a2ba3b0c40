// Numbers as nine digits for a person.
#pragma once

#include <string>

namespace lipschitz::tools {

// The nearest.
std::string NineDigits(double value);

// Not below `value`, which is not negative: for upper bounds.
std::string NineDigitsUp(double value);

}  // namespace lipschitz::tools
