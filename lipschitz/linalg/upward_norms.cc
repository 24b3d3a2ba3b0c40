#include "lipschitz/linalg/upward_norms.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "lipschitz/base/rounding.h"

namespace lipschitz {

using rounding::SumUp;
using rounding::Up;

double FrobeniusUp(const at::Tensor& a) {
  const double squares = a.square().sum().item<double>();
  return Up(std::sqrt(SumUp(squares, static_cast<double>(a.numel()))));
}

int ScaleExponent(const at::Tensor& a) {
  int exponent = 0;
  std::frexp(a.abs().max().item<double>(), &exponent);
  return std::clamp(exponent, -1000, 1000);
}

}  // namespace lipschitz
