// A vectorised loop that projects points on balls cut with a box.
#pragma once

#include <cstddef>

namespace lipschitz {

// For n points of dimension `dim`, one after the other: out = x + clamp(s (z −
// x)) with the largest s ≤ 1 for which the step, cut at the box [lower, upper],
// is no longer than the point's radius, found from below. x itself where z is
// not finite. The x are in the box, the outputs too; out may not overlap the
// inputs. Sums are float64.
template <typename T>
using ProjectOnL2Balls = void (*)(const T* x, const T* z, const double* radius,
                                  size_t n, size_t dim, T lower, T upper,
                                  T* out);

// The loop for one element type, float or double, compiled for every
// instruction set and chosen for this processor.
template <typename T>
ProjectOnL2Balls<T> GetProjectOnL2Balls();

}  // namespace lipschitz
