// The Wasserstein-1 distance of two empirical measures, by linear programming
// and, on the line, in closed form.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/transport/empirical_measure.h"

namespace lipschitz {

// `mass` moves from point `from` of P to point `to` of Q.
struct Shipment {
  int64_t from = 0;
  int64_t to = 0;
  double mass = 0.0;
};

struct OptimalTransport {
  // The dual objective of potentials that are feasible in float64: W1 from
  // below, but for float64 rounding.
  double value = 0.0;
  // The cost of `plan`, less `value`: how far `value` can be from W1. Below
  // 1e-9 of the largest distance.
  double gap = 0.0;
  // At most n + m − 1 shipments, in the order of `from` and `to`.
  std::vector<Shipment> plan;
};

// More pairs of points than this are refused: 100 bytes each are needed.
inline constexpr int64_t kMostTransportPairs = 40'000'000;

// W1 of `p` and `q` under the ground distance ‖x − y‖ of the given norm, by
// LEMON's network simplex (Z. Király and P. Kovács, "Efficient implementations
// of minimum-cost flow algorithms", 2012) on distances rounded to 2^-40 of the
// largest one; potentials and plan are then evaluated on the distances
// themselves. 2000 × 2000 points take seconds, and about as many bytes as said
// above.
//
// InvalidArgument for measures that are none (see Normalised) or of different
// dimensions; ResourceExhausted for too many pairs.
absl::StatusOr<OptimalTransport> SolveTransport(const EmpiricalMeasure& p,
                                                const EmpiricalMeasure& q,
                                                Norm ground_norm);

// W1 of two measures on the line (dim = 1), where every norm is the absolute
// value: ∫ |F_p − F_q|, in O((n + m) log (n + m)).
absl::StatusOr<double> WassersteinOnTheLine(const EmpiricalMeasure& p,
                                            const EmpiricalMeasure& q);

}  // namespace lipschitz
