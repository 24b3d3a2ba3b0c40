// Functions with a Lipschitz constant that is known: targets to approximate.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"

namespace lipschitz {

// A continuous piecewise linear function on the line, constant beyond its first
// and last knot.
struct PiecewiseLinear {
  // Ascending; one more than there are slopes.
  std::vector<double> knots = {0.0, 1.0};
  // Of the pieces between the knots.
  std::vector<double> slopes = {1.0};
  // At the first knot.
  double start = 0.0;

  // InvalidArgument with the numbers that do not fit.
  absl::Status Validate() const;

  // The steepest slope.
  double LipschitzConstant() const;

  // Entry by entry: any shape, the same type.
  at::Tensor Evaluate(const at::Tensor& x) const;
};

// On [lower, upper], slopes 1, −1, 1, ..., around zero: the values are within
// ±(upper − lower) / (2 pieces).
PiecewiseLinear TriangleWave(double lower, double upper, int64_t pieces);

// On [lower, upper]: 0 at `lower`, inner knots and slopes uniform, the slopes
// in [−1, 1].
PiecewiseLinear RandomPiecewiseLinear(double lower, double upper,
                                      int64_t pieces,
                                      const RandomSource& random);

// Envelopes of cones of slope 1 in a norm; both are 1-Lipschitz in it.
struct Cones {
  Norm norm = Norm::kL2;
  // All of one dimension.
  std::vector<std::vector<double>> apexes;
  // One for every apex.
  std::vector<double> heights;

  absl::Status Validate() const;

  // x: (n, dim) → (n), in the type of x.
  //
  // minᵢ (heightᵢ + ‖x − apexᵢ‖), the largest 1-Lipschitz function that is at
  // most heightᵢ at apexᵢ (E. J. McShane, "Extension of range of functions",
  // 1934). With heights of zero it is the distance from the apexes.
  at::Tensor LowerEnvelope(const at::Tensor& x) const;
  // maxᵢ (heightᵢ − ‖x − apexᵢ‖), the smallest that is at least heightᵢ there.
  at::Tensor UpperEnvelope(const at::Tensor& x) const;

 private:
  // (n, apexes).
  at::Tensor Distances(const at::Tensor& x) const;
};

}  // namespace lipschitz
