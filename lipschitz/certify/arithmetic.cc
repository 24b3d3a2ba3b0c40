#include "lipschitz/certify/arithmetic.h"

namespace lipschitz {

std::string ArithmeticName(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kExact:
      return "exact";
    case Arithmetic::kFloat64:
      return "float64";
    case Arithmetic::kFloat32:
      return "float32";
  }
  return "unknown";
}

}  // namespace lipschitz
