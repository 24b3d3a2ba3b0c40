#include "lipschitz/transport/exact_wasserstein.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

at::Tensor Points(int64_t n, int64_t dim, uint64_t seed) {
  return at::randn({n, dim}, RandomSource(seed).generator(),
                   at::TensorOptions(at::kDouble));
}

at::Tensor Weights(int64_t n, uint64_t seed) {
  return at::rand({n}, RandomSource(seed).generator(),
                  at::TensorOptions(at::kDouble));
}

at::Tensor Vector(const std::vector<double>& values) {
  return Matrix({values}).squeeze(0);
}

double Distance(const at::Tensor& x, const at::Tensor& y, Norm norm) {
  const at::Tensor difference = (x - y).abs();
  switch (norm) {
    case Norm::kL1:
      return difference.sum().item<double>();
    case Norm::kL2:
      return difference.square().sum().sqrt().item<double>();
    case Norm::kLinf:
      break;
  }
  return difference.max().item<double>();
}

// Between as many equal masses the optimum is a permutation.
double BestPermutation(const at::Tensor& p, const at::Tensor& q, Norm norm) {
  const int64_t n = p.size(0);
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  double best = std::numeric_limits<double>::infinity();
  do {
    double sum = 0.0;
    for (int64_t i = 0; i < n; ++i) sum += Distance(p[i], q[order[i]], norm);
    best = std::min(best, sum / static_cast<double>(n));
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

double LargestDistance(const at::Tensor& p, const at::Tensor& q, Norm norm) {
  double largest = 0.0;
  for (int64_t i = 0; i < p.size(0); ++i) {
    for (int64_t j = 0; j < q.size(0); ++j) {
      largest = std::max(largest, Distance(p[i], q[j], norm));
    }
  }
  return largest;
}

TEST(SolveTransport, FindsTheBestPermutation) {
  for (const Norm norm : kAllNorms) {
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const at::Tensor p = Points(6, 3, 2 * seed);
      const at::Tensor q = Points(6, 3, 2 * seed + 1);
      const auto solved = SolveTransport({p, {}}, {q, {}}, norm);
      ASSERT_TRUE(solved.ok()) << solved.status();
      EXPECT_NEAR(solved->value, BestPermutation(p, q, norm), 1e-9)
          << NormName(norm) << " seed " << seed;
    }
  }
}

TEST(SolveTransport, PlanHasTheMarginalsAndTheCost) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const EmpiricalMeasure p = {Points(17, 2, 4 * seed),
                                Weights(17, 4 * seed + 1)};
    const EmpiricalMeasure q = {Points(29, 2, 4 * seed + 2),
                                Weights(29, 4 * seed + 3)};
    const auto solved = SolveTransport(p, q, Norm::kL2);
    ASSERT_TRUE(solved.ok()) << solved.status();
    at::Tensor from = at::zeros({17}, at::kDouble);
    at::Tensor to = at::zeros({29}, at::kDouble);
    double cost = 0.0;
    for (const Shipment& shipment : solved->plan) {
      EXPECT_GT(shipment.mass, 0.0);
      from[shipment.from] += shipment.mass;
      to[shipment.to] += shipment.mass;
      cost += shipment.mass * Distance(p.points[shipment.from],
                                       q.points[shipment.to], Norm::kL2);
    }
    EXPECT_LE(solved->plan.size(), 17u + 29u - 1u);
    EXPECT_TRUE(testing::TensorsNear(from, p.weights / p.weights.sum(), 1e-11));
    EXPECT_TRUE(testing::TensorsNear(to, q.weights / q.weights.sum(), 1e-11));
    EXPECT_NEAR(cost, solved->value + solved->gap, 1e-12);
  }
}

TEST(SolveTransport, GapIsBelowTheStatedShareOfTheLargestDistance) {
  for (const Norm norm : kAllNorms) {
    for (const double scale : {1e-30, 1.0, 1e30}) {
      const EmpiricalMeasure p = {Points(60, 5, 1) * scale, Weights(60, 2)};
      const EmpiricalMeasure q = {Points(45, 5, 3) * scale, Weights(45, 4)};
      const auto solved = SolveTransport(p, q, norm);
      ASSERT_TRUE(solved.ok()) << solved.status();
      const double largest = LargestDistance(p.points, q.points, norm);
      EXPECT_LE(std::abs(solved->gap), 1e-9 * largest);
      EXPECT_GT(solved->value, 0.01 * largest);
    }
  }
}

TEST(SolveTransport, AgreesWithTheClosedFormOnTheLine) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const bool weighted = seed % 2 == 1;
    EmpiricalMeasure p = {Points(40, 1, 4 * seed), {}};
    EmpiricalMeasure q = {Points(23, 1, 4 * seed + 1) * 2 + 1, {}};
    if (weighted) {
      p.weights = Weights(40, 4 * seed + 2);
      q.weights = Weights(23, 4 * seed + 3);
    }
    const auto solved = SolveTransport(p, q, Norm::kLinf);
    const auto closed = WassersteinOnTheLine(p, q);
    ASSERT_TRUE(solved.ok() && closed.ok());
    EXPECT_NEAR(solved->value, *closed, 1e-9);
  }
}

TEST(SolveTransport, TranslationCostsItsLength) {
  const at::Tensor p = Points(50, 4, 1);
  const at::Tensor shift = Vector({1.0, -2.0, 3.0, 0.5});
  for (const Norm norm : kAllNorms) {
    const auto solved = SolveTransport({p, {}}, {p + shift, {}}, norm);
    ASSERT_TRUE(solved.ok());
    EXPECT_NEAR(solved->value, Distance(shift, at::zeros_like(shift), norm),
                1e-9);
  }
}

// The mass is what counts, not how many points it is divided among.
TEST(SolveTransport, RepeatedPointsAreWeights) {
  const at::Tensor p = Points(5, 2, 1);
  const at::Tensor q = Points(4, 2, 2);
  const at::Tensor repeated =
      at::cat({q, q.narrow(0, 0, 2), q.narrow(0, 0, 1)});
  const auto by_points = SolveTransport({p, {}}, {repeated, {}}, Norm::kL2);
  const auto by_weights =
      SolveTransport({p, {}}, {q, Vector({3.0, 2.0, 1.0, 1.0})}, Norm::kL2);
  ASSERT_TRUE(by_points.ok() && by_weights.ok());
  EXPECT_NEAR(by_points->value, by_weights->value, 1e-10);
}

TEST(SolveTransport, PointsWithoutMassDoNotMatter) {
  const at::Tensor p = Points(5, 2, 1);
  const at::Tensor q = Points(6, 2, 2);
  const auto with =
      SolveTransport({p, {}}, {q, Vector({1, 1, 1, 1, 1, 0})}, Norm::kL2);
  const auto without =
      SolveTransport({p, {}}, {q.narrow(0, 0, 5), {}}, Norm::kL2);
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_NEAR(with->value, without->value, 1e-10);
}

// Fractions like 1/50000 are rounded: so many of them add up to more than 1.
TEST(SolveTransport, ManyWeightsAndOneOfZero) {
  constexpr int64_t kPoints = 50001;
  at::Tensor weights = at::ones({kPoints}, at::kDouble);
  weights[kPoints - 1] = 0.0;
  const at::Tensor p = Points(kPoints, 1, 1);
  const at::Tensor q = Matrix({{-1.0}, {0.5}});
  const at::Tensor of_q = Vector({1.0, 2.0});
  const auto solved = SolveTransport({p, weights}, {q, of_q}, Norm::kL2);
  ASSERT_TRUE(solved.ok()) << solved.status();
  const auto closed = WassersteinOnTheLine({p, weights}, {q, of_q});
  ASSERT_TRUE(closed.ok()) << closed.status();
  EXPECT_NEAR(solved->value, *closed, 1e-6);
  for (const auto& [from, to, mass] : solved->plan) {
    EXPECT_LT(from, kPoints - 1);
    EXPECT_GE(mass, 0.0);
  }
}

TEST(SolveTransport, ZeroForTheSameMeasure) {
  const at::Tensor p = Points(30, 3, 1);
  const auto solved = SolveTransport({p, {}}, {p.flip(0), {}}, Norm::kL2);
  ASSERT_TRUE(solved.ok());
  EXPECT_NEAR(solved->value, 0.0, 1e-12);
  const auto one_point = SolveTransport({at::zeros({3, 2}), {}},
                                        {at::zeros({2, 2}), {}}, Norm::kL2);
  ASSERT_TRUE(one_point.ok());
  EXPECT_EQ(one_point->value, 0.0);
}

TEST(SolveTransport, IsSymmetricAndObeysTheTriangleInequality) {
  const EmpiricalMeasure a = {Points(20, 3, 1), Weights(20, 2)};
  const EmpiricalMeasure b = {Points(25, 3, 3), Weights(25, 4)};
  const EmpiricalMeasure c = {Points(30, 3, 5), {}};
  const auto distance = [](const EmpiricalMeasure& x,
                           const EmpiricalMeasure& y) {
    return SolveTransport(x, y, Norm::kL1)->value;
  };
  EXPECT_NEAR(distance(a, b), distance(b, a), 1e-9);
  EXPECT_LE(distance(a, c), distance(a, b) + distance(b, c) + 1e-9);
}

TEST(SolveTransport, TakesFloat32) {
  const auto solved =
      SolveTransport({Points(4, 2, 1).to(at::kFloat), {}},
                     {Points(4, 2, 2).to(at::kFloat), {}}, Norm::kL2);
  ASSERT_TRUE(solved.ok()) << solved.status();
  EXPECT_NEAR(solved->value,
              BestPermutation(Points(4, 2, 1), Points(4, 2, 2), Norm::kL2),
              1e-6);
}

TEST(SolveTransport, RefusesWhatIsNoPairOfMeasures) {
  const auto solve = [](const EmpiricalMeasure& p, const EmpiricalMeasure& q) {
    return SolveTransport(p, q, Norm::kL2);
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const EmpiricalMeasure good = {Points(3, 2, 1), {}};
  EXPECT_TRUE(FailsWith(solve({{}, {}}, good), invalid, {"P", "(n, dim)"}));
  EXPECT_TRUE(FailsWith(solve(good, {at::zeros({0, 2}), {}}), invalid,
                        {"Q", "(0, 2)"}));
  EXPECT_TRUE(
      FailsWith(solve(good, {at::zeros({4}), {}}), invalid, {"Q", "(4)"}));
  EXPECT_TRUE(FailsWith(solve(good, {at::ones({4, 2}, at::kLong), {}}), invalid,
                        {"Q", "floating"}));
  EXPECT_TRUE(FailsWith(solve(good, {Points(4, 3, 2), {}}), invalid,
                        {"dimension 2", "dimension 3"}));
  EXPECT_TRUE(FailsWith(solve(good, {Matrix({{0, 1}, {kNan, 1}}), {}}), invalid,
                        {"Q", "row 1", "not finite"}));
  EXPECT_TRUE(FailsWith(solve({Points(3, 2, 1), Vector({1, 1})}, good), invalid,
                        {"P", "(3)", "(2)"}));
  EXPECT_TRUE(FailsWith(solve({Points(3, 2, 1), Vector({1, -1, 1})}, good),
                        invalid, {"P", "weight 1", "-1"}));
  EXPECT_TRUE(FailsWith(solve({Points(3, 2, 1), Vector({0, 0, 0})}, good),
                        invalid, {"P", "all weights are 0"}));
  EXPECT_TRUE(FailsWith(solve(good, {Matrix({{1e308, 1e308}}), {}}), invalid,
                        {"overflows"}));
}

TEST(SolveTransport, RefusesTooManyPairs) {
  const at::Tensor many = at::zeros({7000, 1});
  EXPECT_TRUE(FailsWith(SolveTransport({many, {}}, {many, {}}, Norm::kL2),
                        absl::StatusCode::kResourceExhausted,
                        {"7000", "fewer"}));
}

TEST(WassersteinOnTheLine, KnowsSimpleAnswers) {
  const auto line = [](const std::vector<double>& p,
                       const std::vector<double>& q) {
    return *WassersteinOnTheLine({Vector(p).unsqueeze(1), {}},
                                 {Vector(q).unsqueeze(1), {}});
  };
  EXPECT_DOUBLE_EQ(line({0}, {3}), 3.0);
  EXPECT_DOUBLE_EQ(line({-1, 1}, {0}), 1.0);
  EXPECT_DOUBLE_EQ(line({2, 1}, {1, 2}), 0.0);
  EXPECT_DOUBLE_EQ(line({0, 0, 3}, {0, 3}), 0.5);
}

TEST(WassersteinOnTheLine, RefusesThePlane) {
  EXPECT_TRUE(FailsWith(
      WassersteinOnTheLine({Points(2, 2, 1), {}}, {Points(2, 2, 2), {}}),
      absl::StatusCode::kInvalidArgument, {"dimension 1", "2"}));
}

}  // namespace
}  // namespace lipschitz
