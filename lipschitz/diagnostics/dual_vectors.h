// Which vectors attain a norm.
#pragma once

#include <ATen/core/Tensor.h>

#include "lipschitz/base/norm.h"

namespace lipschitz {

// l1 ↔ linf, l2 ↔ l2.
Norm DualNorm(Norm norm);

// ‖z_b‖ of every row of z (n, d): (n), in the type of z. Differentiable.
at::Tensor RowNorms(const at::Tensor& z, Norm norm);

// For every row of z (n, d) a v with ‖v‖ = 1 and ⟨v, z⟩ = ‖z‖ in the dual norm:
// the direction in which a linear function with that gradient grows most. l2: z
// at length 1; linf: signs; l1: one entry. Where z is 0, a vector whose norm is
// 1 at most.
at::Tensor SteepestVectors(const at::Tensor& z, Norm norm);

}  // namespace lipschitz
