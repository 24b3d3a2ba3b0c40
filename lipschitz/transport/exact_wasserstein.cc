#include "lipschitz/transport/exact_wasserstein.h"

#include <ATen/ATen.h>
#include <lemon/network_simplex.h>
#include <lemon/static_graph.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/pairwise_distances.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

// The network simplex compares sums of costs without a tolerance, which only
// integers allow. Potentials are sums of at most as many costs as there are
// points: below 2^63 for 2^22 points.
constexpr double kCostSteps = 1099511627776.0;  // 2^40
// The total mass, in integers, where the weights are not all equal.
constexpr double kMassSteps = 1099511627776.0;  // 2^40

using Graph = lemon::StaticDigraph;
using Simplex = lemon::NetworkSimplex<Graph, int64_t, int64_t>;

// A map of LEMON over the arcs: the cost of each, rounded to steps.
class RoundedCosts {
 public:
  using Key = Graph::Arc;
  using Value = int64_t;

  RoundedCosts(const double* distances, double scale)
      : distances_(distances), scale_(scale) {}

  Value operator[](const Key& arc) const {
    return std::llround(distances_[Graph::id(arc)] * scale_);
  }

 private:
  const double* distances_;
  double scale_;
};

// A map of LEMON over the nodes: what flows out of each (into it: negative).
class Supplies {
 public:
  using Key = Graph::Node;
  using Value = int64_t;

  explicit Supplies(const std::vector<int64_t>* values) : values_(values) {}

  Value operator[](const Key& node) const {
    return (*values_)[Graph::id(node)];
  }

 private:
  const std::vector<int64_t>* values_;
};

// Whole numbers in the proportions of `weights`, of sum kMassSteps; none is off
// by more than 1, none is negative, and what has no weight has no mass.
std::vector<int64_t> WholeMasses(const at::Tensor& weights) {
  const auto* weight = weights.data_ptr<double>();
  std::vector<int64_t> masses(weights.numel());
  size_t last = 0;
  for (size_t i = 0; i < masses.size(); ++i) {
    if (weight[i] > 0.0) last = i;
  }
  // The partial sums of many rounded weights drift: added up with their
  // rounding errors (Kahan, "Further remarks on reducing truncation errors",
  // 1965) they do not.
  double sum = 0.0;
  double error = 0.0;
  int64_t before = 0;
  for (size_t i = 0; i <= last; ++i) {
    const double term = weight[i] - error;
    const double next = sum + term;
    error = (next - sum) - term;
    sum = next;
    const auto so_far = static_cast<int64_t>(
        std::llround((i == last ? 1.0 : std::min(sum, 1.0)) * kMassSteps));
    masses[i] = so_far - before;
    before = so_far;
  }
  return masses;
}

bool AllEqual(const at::Tensor& weights) {
  return (weights == weights[0]).all().item<bool>();
}

// What flows out of the points of P and into those of Q.
std::vector<int64_t> SuppliesOf(const at::Tensor& p, const at::Tensor& q) {
  const int64_t n = p.numel();
  const int64_t m = q.numel();
  std::vector<int64_t> supplies;
  std::vector<int64_t> demands;
  if (AllEqual(p) && AllEqual(q)) {
    const int64_t common = std::gcd(n, m);
    supplies.assign(n, m / common);
    demands.assign(m, n / common);
  } else {
    supplies = WholeMasses(p);
    demands = WholeMasses(q);
  }
  for (const int64_t demand : demands) supplies.push_back(-demand);
  return supplies;
}

// Arc i·m + j leads from point i of P (node i) to point j of Q (node n + j).
Graph CompleteBipartite(int n, int m) {
  std::vector<std::pair<int, int>> arcs;
  arcs.reserve(static_cast<size_t>(n) * m);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < m; ++j) arcs.emplace_back(i, n + j);
  }
  Graph graph;
  graph.build(n + m, arcs.begin(), arcs.end());
  return graph;
}

absl::StatusOr<OptimalTransport> Solve(const EmpiricalMeasure& p,
                                       const EmpiricalMeasure& q,
                                       const at::Tensor& distances) {
  const auto n = static_cast<int>(p.points.size(0));
  const auto m = static_cast<int>(q.points.size(0));
  const auto* distance = distances.data_ptr<double>();
  const double largest = distances.max().item<double>();
  if (!std::isfinite(largest)) {
    return absl::InvalidArgumentError(
        "exact transport: a distance between the points overflows");
  }
  const double scale = largest > 0.0 ? kCostSteps / largest : 0.0;

  const Graph graph = CompleteBipartite(n, m);
  const std::vector<int64_t> supplies = SuppliesOf(p.weights, q.weights);
  const RoundedCosts costs(distance, scale);
  Simplex simplex(graph);
  simplex.costMap(costs).supplyMap(Supplies(&supplies));
  if (simplex.run() != Simplex::OPTIMAL) {
    return absl::InternalError("exact transport: the simplex found no optimum");
  }

  // With ψ_j the potentials of Q, φ_i = min_j (d_ij − ψ_j) makes
  // φ_i + ψ_j ≤ d_ij for all i and j: a feasible point of the dual.
  at::Tensor psi = at::empty({m}, at::kDouble);
  auto* psi_data = psi.data_ptr<double>();
  for (int j = 0; j < m; ++j) {
    psi_data[j] =
        scale > 0.0
            ? static_cast<double>(simplex.potential(graph.node(n + j))) / scale
            : 0.0;
  }
  psi -= psi.mean();
  const at::Tensor phi = (distances - psi).amin(1);

  OptimalTransport result;
  result.value = (p.weights.dot(phi) + q.weights.dot(psi)).item<double>();
  const double unit = 1.0 / static_cast<double>(std::accumulate(
                                supplies.begin(), supplies.begin() + n,
                                static_cast<int64_t>(0)));
  double cost = 0.0;
  for (int64_t arc = 0; arc < static_cast<int64_t>(n) * m; ++arc) {
    const int64_t flow = simplex.flow(graph.arc(static_cast<int>(arc)));
    if (flow == 0) continue;
    const double mass = static_cast<double>(flow) * unit;
    result.plan.push_back({arc / m, arc % m, mass});
    cost += mass * distance[arc];
  }
  result.gap = cost - result.value;
  return result;
}

}  // namespace

absl::StatusOr<OptimalTransport> SolveTransport(const EmpiricalMeasure& p,
                                                const EmpiricalMeasure& q,
                                                Norm ground_norm) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const MeasurePair pair, NormalisedPair(p, q));
  const int64_t n = pair.p.points.size(0);
  const int64_t m = pair.q.points.size(0);
  if (n > kMostTransportPairs / m) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "exact transport: ", n, " × ", m, " points are more than the ",
        kMostTransportPairs, " pairs that are solved exactly; give fewer"));
  }
  return CatchTorch(
      "exact transport", [&]() -> absl::StatusOr<OptimalTransport> {
        const at::Tensor distances =
            PairwiseDistances(pair.p.points, pair.q.points, ground_norm)
                .contiguous();
        return Solve(pair.p, pair.q, distances);
      });
}

absl::StatusOr<double> WassersteinOnTheLine(const EmpiricalMeasure& p,
                                            const EmpiricalMeasure& q) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const MeasurePair pair, NormalisedPair(p, q));
  if (pair.p.points.size(1) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the line has dimension 1, the points have ", pair.p.points.size(1)));
  }
  return CatchTorch("transport on the line", [&] {
    const at::Tensor points =
        at::cat({pair.p.points, pair.q.points}).squeeze(1);
    const at::Tensor masses = at::cat({pair.p.weights, -pair.q.weights});
    const auto [sorted, order] = points.sort();
    // F_p − F_q between neighbouring points.
    const at::Tensor difference = masses.index_select(0, order).cumsum(0);
    const int64_t gaps = points.numel() - 1;
    return (difference.narrow(0, 0, gaps).abs() *
            (sorted.narrow(0, 1, gaps) - sorted.narrow(0, 0, gaps)))
        .sum()
        .item<double>();
  });
}

}  // namespace lipschitz
