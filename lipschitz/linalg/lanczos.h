// The largest eigenvalue of a symmetric map by Lanczos' method.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace lipschitz {

// An estimate of λmax of the symmetric positive semidefinite map `apply` on
// float64 vectors of `size` entries: after at most `steps` applications, not
// above λmax but for rounding errors, and never a certificate. Starts from a
// fixed pseudo-random vector, so that the result does not depend on any
// generator's state. (C. Lanczos, J. Res. Nat. Bur. Standards 45, 1950; without
// reorthogonalisation, which only makes it find an eigenvalue twice.)
double LargestEigenvalueEstimate(
    const std::function<at::Tensor(const at::Tensor&)>& apply, int64_t size,
    int steps);

}  // namespace lipschitz
