// The bound on W1 of samples that a critic's values at them lead to.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/transport/empirical_measure.h"

namespace lipschitz {

// A feasible point of the dual of the transport between two sets of points.
struct TransformedPotentials {
  // u, (n), and v, (m), in float64, with u_i − v_j ≤ ‖p_i − q_j‖ for all i and
  // j, but for rounding.
  at::Tensor p;
  at::Tensor q;
  // The weighted mean of u, less that of v.
  double value = 0.0;
  // `value`, less all that rounding can have added to it, the distances'
  // included: never above W1 of the measures.
  double lower_bound = 0.0;
};

// From `values`, (m), of any critic at the points of `q`: their c-transform
// (C. Villani, "Optimal Transport", 2009, definition 5.2) and that of the
// result,
//   u_i = min_j (values_j + ‖p_i − q_j‖),   v_j = max_i (u_i − ‖p_i − q_j‖).
// It is a bound whatever the values are, and needs no Lipschitz constant. Where
// they are those of a function f of constant 1 it is at least f's own: u is the
// largest extension of constant 1 of f from Q's points (McShane 1934), so that
// u_i ≥ f(p_i), and v_j ≤ f(q_j). Unlike f it says nothing of other samples.
// More transforms change nothing: u is the transform of v. Potentials are known
// up to a constant, which is chosen so that they are small. Points of weight 0
// count like the others.
//
// n m distances and O(n + m) memory: for more points than SolveTransport takes.
//
// InvalidArgument for measures that are none (see Normalised) or of different
// dimensions, values of another number or that are not finite, and where a
// distance or a sum of one and a value overflows; Cancelled after
// `stop_requested`, which is asked every so many distances, said so.
absl::StatusOr<TransformedPotentials> TransformPotentials(
    const EmpiricalMeasure& p, const EmpiricalMeasure& q,
    const at::Tensor& values, Norm ground_norm,
    const std::function<bool()>& stop_requested = {});

}  // namespace lipschitz
