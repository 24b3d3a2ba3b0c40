// Vectorised loops over the rows of a matrix: projection on the L1 ball and the
// L1 sphere, scaling to an L1 norm, and the transposed Jacobians of both.
#pragma once

#include <cstddef>

namespace lipschitz {

enum class L1Set { kBall, kSphere };

// The loops for one element type, compiled for every instruction set and chosen
// for this processor. Matrices are row-major and contiguous, (rows, columns);
// outputs may not overlap inputs; radius > 0. Sums are float64.
template <typename T>
struct L1RowsKernel {
  // out: the nearest point of the set for every row of w. kept[i]: row i is
  // inside the ball, and out is w bit for bit; never for the sphere. The norm
  // of a row that is not kept is the radius, but for the rounding of its
  // entries to T and of one float64 sum, whatever the scale of w. Zero entries
  // count as positive. A row whose norm is not finite becomes NaN. Passes
  // over a row: about log₂(columns) + 27 at most, a few as a rule.
  void (*project)(const T* w, size_t rows, size_t columns, double radius,
                  L1Set set, T* out, bool* kept);

  // out: the Jacobian of `project`, which is symmetric, times g, row by row.
  // `projected` and `kept` are what `project` wrote.
  void (*project_derivative)(const T* projected, const bool* kept, const T* g,
                             size_t rows, size_t columns, T* out);

  // out: w · radius/‖w‖₁ for every row, or with only_down, for those of norm
  // above the radius; the others are w bit for bit. So are rows so short that
  // radius/‖w‖₁ overflows, zero ones among them.
  void (*scale)(const T* w, size_t rows, size_t columns, double radius,
                bool only_down, T* out);

  // out: the transposed Jacobian of `scale` times g, with sign(0) = 0 as the
  // derivative of |0|.
  void (*scale_backward)(const T* w, const T* g, size_t rows, size_t columns,
                         double radius, bool only_down, T* out);
};

// T is float or double.
template <typename T>
L1RowsKernel<T> GetL1RowsKernel();

}  // namespace lipschitz
