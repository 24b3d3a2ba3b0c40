// The product with an orthonormal weight whose gradient is tangent to the
// Stiefel manifold.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// x Wᵀ for `x` (..., columns) and `w` (rows, columns) with orthonormal rows or
// columns; the gradient that reaches `w` is its tangential part
// (ProjectOntoTangentSpace). Differentiable to any order; what later orders
// send to `w` is projected too.
//
// Projecting a (rows, columns) gradient takes two products with its smaller
// Gram side. For a batch that is smaller than that side it takes products with
// the batch only, because the gradient G = δᵀx (δ the gradient of the result)
// has that rank: with D = δW, the gradient for x, and z = xWᵀ, the result,
//   G − ½ (GWᵀ + WGᵀ) W = δᵀ(x − ½ zW) − ½ zᵀD    for orthonormal rows,
//   G − ½ W (WᵀG + GᵀW) = (δ − ½ DWᵀ)ᵀx − ½ zᵀD   for orthonormal columns,
// both of which are ½ (δᵀx − zᵀD) for a square one.
at::Tensor TangentProduct(const at::Tensor& x, const at::Tensor& w);

// `w` itself, for uses other than a product: what its derivative receives is
// the tangential part of the gradient that comes back.
at::Tensor WithTangentGradient(const at::Tensor& w);

}  // namespace lipschitz
