// The singular values of a function's Jacobian at every input: where all are 1
// the function keeps distances, where some are small it has lost directions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "lipschitz/diagnostics/linearisation.h"

namespace lipschitz {

struct JacobianSpectrumOptions {
  // How many of the largest singular values; 0: all min(m, d).
  int64_t count = 0;
  // The whole Jacobian is computed, and all is exact, where min(m, d) passes
  // are no more than this, or all values are wanted.
  int64_t max_passes = 64;

  // Otherwise a subspace iteration: directions beyond `count`, the most
  // iterations, and the change of every value, relative to the largest one,
  // below which it ends.
  int64_t oversampling = 8;
  int iterations = 50;
  double tolerance = 1e-8;
  // Of the first directions.
  uint64_t seed = 0;
};

struct JacobianSpectrum {
  // (n, k), float64, descending.
  at::Tensor values;
  // (n, k), float64: J has a singular value within this of that in `values`.
  // Zeros where exact.
  at::Tensor residuals;
  // From the whole Jacobian: off by rounding alone, some units of the type of x
  // times the largest value.
  bool exact = true;
};

// For every example of x (n, ...), float32 or float64.
//
//   \code
//   EvaluationMode evaluation(*network);
//   auto spectrum = JacobianSingularValues(ForwardOf(*network), x);
//   \endcode
//
// Not exact, the values are those of J restricted to a subspace that the
// iteration turns towards the leading one, so never above the true ones (i-th
// against i-th) but for rounding, and off by about residual² over the distance
// to the next values. Each iteration costs 2 (count + oversampling) passes over
// the batch. Source: N. Halko, P. G. Martinsson, J. A. Tropp, "Finding
// Structure with Randomness" (SIAM Review 53, 2011), algorithm 4.4 with
// Rayleigh-Ritz.
//
// InvalidArgument for options out of range (count above min(m, d)) and where
// Linearisation::At says so.
absl::StatusOr<JacobianSpectrum> JacobianSingularValues(
    const BatchFunction& function, const at::Tensor& x,
    const JacobianSpectrumOptions& options = {});

}  // namespace lipschitz
