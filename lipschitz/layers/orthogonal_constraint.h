// Orthogonal kernels from unconstrained parameters.
#pragma once

#include <memory>
#include <string>

#include "lipschitz/layers/kernel_constraint.h"
#include "lipschitz/linalg/orthogonal_kernel.h"
#include "lipschitz/linalg/polar.h"

namespace lipschitz {

// The parameters are matrices whose polar factors are those that the plan asks
// for: "pointwise", "bases" and "strided", where it has them.
//
// After every optimiser step the parameters take a retraction, an odd
// polynomial of their singular values: the polar factors, and with them the
// kernel, stay what they are, and finding them takes an iteration or two. In
// evaluation they are computed in float64.
std::shared_ptr<KernelConstraint> MakeOrthogonalConstraint(
    const std::string& name, const OrthogonalKernelPlan& plan,
    const PolarOptions& polar);

}  // namespace lipschitz
