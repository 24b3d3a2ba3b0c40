// Which computation of a network a certificate speaks of.
#pragma once

#include <string>

namespace lipschitz {

enum class Arithmetic {
  // The network in exact arithmetic on its float64 weights. The logits at the
  // image come from float64, whose rounding (about 1e-15 of the values inside)
  // is NOT accounted for: for layers whose rounding is not known.
  kExact,
  // forward in float64 (parameters converted, constraints evaluated in
  // float64), with all its rounding errors accounted for.
  kFloat64,
  // forward as the parameters are stored, in float32, with all its rounding
  // errors accounted for.
  kFloat32,
};

// "exact", "float64", "float32".
std::string ArithmeticName(Arithmetic arithmetic);

}  // namespace lipschitz
