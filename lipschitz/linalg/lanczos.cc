#include "lipschitz/linalg/lanczos.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace lipschitz {

double LargestEigenvalueEstimate(
    const std::function<at::Tensor(const at::Tensor&)>& apply, int64_t size,
    int steps) {
  c10::NoGradGuard no_grad;
  // cos(1), cos(2), cos(3), ...: without the structure of any operator.
  at::Tensor current = at::arange(1, size + 1, at::kDouble).cos();
  current = current / current.norm();
  at::Tensor previous = at::zeros_like(current);
  // The tridiagonal matrix of the map in the basis of these vectors.
  std::vector<double> diagonal;
  std::vector<double> beside;
  double coupling = 0.0;
  double largest = 0.0;
  for (int step = 0; step < steps; ++step) {
    at::Tensor next = apply(current) - coupling * previous;
    const double value = at::dot(next, current).item<double>();
    next = next - value * current;
    diagonal.push_back(value);
    largest = std::max(largest, std::abs(value));
    coupling = next.norm().item<double>();
    // The space is invariant: what follows is noise.
    if (!(coupling > 1e-12 * largest)) break;
    beside.push_back(coupling);
    previous = current;
    current = next / coupling;
  }
  beside.resize(diagonal.size() - 1);
  at::Tensor tridiagonal = at::diag(at::tensor(diagonal, at::kDouble));
  if (!beside.empty()) {
    // The lower triangle is what counts.
    tridiagonal = tridiagonal + at::diag(at::tensor(beside, at::kDouble), -1);
  }
  return at::linalg_eigvalsh(tridiagonal).max().item<double>();
}

}  // namespace lipschitz
