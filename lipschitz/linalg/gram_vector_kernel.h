// A vectorised product of a Gram matrix with a vector.
#pragma once

#include <cstddef>

namespace lipschitz {

// For w (rows, columns), row-major and contiguous: out = G x − x with the
// smaller Gram matrix G, w wᵀ where rows ≤ columns and wᵀ w else, which is
// never formed. x and out are as long as G, `scratch` as long as the larger
// side; none overlaps another. Reads w twice where rows ≤ columns, once else.
// Sums are of type T, in an order of their own.
template <typename T>
using GramLessIdentityTimes = void (*)(const T* w, size_t rows, size_t columns,
                                       const T* x, T* scratch, T* out);

// The loop for one element type, float or double, compiled for every
// instruction set and chosen for this processor.
template <typename T>
GramLessIdentityTimes<T> GetGramLessIdentityTimes();

}  // namespace lipschitz
