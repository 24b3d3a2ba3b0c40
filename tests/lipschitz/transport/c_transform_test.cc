#include "lipschitz/transport/c_transform.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/random.h"
#include "lipschitz/transport/exact_wasserstein.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::absl::StatusCode;
using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::Matrix;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

at::Tensor Normal(at::IntArrayRef shape, uint64_t seed) {
  return at::randn(shape, RandomSource(seed).generator(),
                   at::TensorOptions(at::kDouble));
}

at::Tensor Weights(int64_t n, uint64_t seed) {
  return at::rand({n}, RandomSource(seed).generator(),
                  at::TensorOptions(at::kDouble));
}

// ‖x − y‖ in long double.
long double Distance(const double* x, const double* y, int64_t dim, Norm norm) {
  long double sum = 0.0L;
  long double largest = 0.0L;
  for (int64_t k = 0; k < dim; ++k) {
    const long double d = std::fabs(static_cast<long double>(x[k]) - y[k]);
    sum += norm == Norm::kL2 ? d * d : d;
    largest = std::max(largest, d);
  }
  if (norm == Norm::kLinf) return largest;
  return norm == Norm::kL2 ? std::sqrt(sum) : sum;
}

// By how much the potentials are above the distances, at most.
long double Excess(const TransformedPotentials& potentials, const at::Tensor& p,
                   const at::Tensor& q, Norm norm) {
  long double most = -std::numeric_limits<long double>::infinity();
  const int64_t dim = p.size(1);
  for (int64_t i = 0; i < p.size(0); ++i) {
    for (int64_t j = 0; j < q.size(0); ++j) {
      const long double apart =
          static_cast<long double>(potentials.p.data_ptr<double>()[i]) -
          potentials.q.data_ptr<double>()[j];
      most = std::max(
          most, apart - Distance(p.data_ptr<double>() + i * dim,
                                 q.data_ptr<double>() + j * dim, dim, norm));
    }
  }
  return most;
}

TEST(TransformPotentials, AnyValuesGiveABound) {
  for (const Norm norm : kAllNorms) {
    for (const double scale : {0.0, 1.0, 1000.0}) {
      for (uint64_t seed = 0; seed < 4; ++seed) {
        const EmpiricalMeasure p = {
            Normal({17, 3}, 5 * seed),
            seed % 2 == 0 ? at::Tensor() : Weights(17, 5 * seed + 1)};
        const EmpiricalMeasure q = {
            Normal({23, 3}, 5 * seed + 2) + 0.7,
            seed < 2 ? at::Tensor() : Weights(23, 5 * seed + 3)};
        const auto transformed =
            TransformPotentials(p, q, scale * Normal({23}, 5 * seed + 4), norm);
        ASSERT_TRUE(transformed.ok()) << transformed.status();
        EXPECT_LE(Excess(*transformed, p.points, q.points, norm),
                  1e-15 * (scale + 10.0));
        const auto exact = SolveTransport(p, q, norm);
        ASSERT_TRUE(exact.ok()) << exact.status();
        EXPECT_LE(transformed->lower_bound, exact->value + exact->gap);
        EXPECT_LE(transformed->lower_bound, transformed->value);
        EXPECT_GE(transformed->lower_bound,
                  transformed->value - 1e-13 * (scale + 10.0));
        // Without values, the distances to the nearest points.
        if (scale == 0.0) {
          EXPECT_GT(transformed->value, 0.3 * exact->value);
        }
      }
    }
  }
}

// From those that are best the best comes back.
TEST(TransformPotentials, ReachesTheDistanceOfATranslation) {
  const at::Tensor q = Normal({60, 4}, 1);
  const at::Tensor shift = Matrix({{3.0, 0.0, -4.0, 12.0}});
  const auto transformed = TransformPotentials(
      {q + shift, {}}, {q, {}}, q.mv(shift.squeeze(0)) / 13.0, Norm::kL2);
  ASSERT_TRUE(transformed.ok()) << transformed.status();
  EXPECT_NEAR(transformed->value, 13.0, 1e-12);
  EXPECT_LE(transformed->lower_bound, 13.0);
}

// f(x) = min_k (h_k + ‖x − c_k‖) has the constant 1.
TEST(TransformPotentials, IsNoWorseThanTheFunctionThatTheValuesAreOf) {
  for (const Norm norm : kAllNorms) {
    double gained = 0.0;
    for (uint64_t seed = 0; seed < 5; ++seed) {
      const at::Tensor p = Normal({30, 5}, 4 * seed);
      const at::Tensor q = Normal({40, 5}, 4 * seed + 1) * 0.5 + 1.0;
      const at::Tensor centres = Normal({3, 5}, 4 * seed + 2);
      const at::Tensor heights = Normal({3}, 4 * seed + 3);
      const auto function = [&](const at::Tensor& x) {
        at::Tensor values = at::empty({x.size(0)}, at::kDouble);
        for (int64_t i = 0; i < x.size(0); ++i) {
          double least = std::numeric_limits<double>::infinity();
          for (int64_t k = 0; k < 3; ++k) {
            least = std::min(
                least,
                heights[k].item<double>() +
                    static_cast<double>(Distance(
                        x[i].contiguous().data_ptr<double>(),
                        centres[k].contiguous().data_ptr<double>(), 5, norm)));
          }
          values[i] = least;
        }
        return values;
      };
      const at::Tensor on_q = function(q);
      const double own = (function(p).mean() - on_q.mean()).item<double>();
      const auto transformed =
          TransformPotentials({p, {}}, {q, {}}, on_q, norm);
      ASSERT_TRUE(transformed.ok()) << transformed.status();
      EXPECT_GE(transformed->value, own - 1e-12) << NormName(norm);
      gained += transformed->value - own;
    }
    EXPECT_GT(gained, 0.1) << NormName(norm);
  }
}

TEST(TransformPotentials, OnceMoreChangesNothing) {
  const at::Tensor p = Normal({20, 3}, 1);
  const at::Tensor q = Normal({30, 3}, 2);
  const auto once =
      TransformPotentials({p, {}}, {q, {}}, Normal({30}, 3), Norm::kL2);
  ASSERT_TRUE(once.ok()) << once.status();
  const auto twice = TransformPotentials({p, {}}, {q, {}}, once->q, Norm::kL2);
  ASSERT_TRUE(twice.ok()) << twice.status();
  const at::Tensor shift = twice->p[0] - once->p[0];
  EXPECT_TRUE(testing::TensorsNear(twice->p, once->p + shift, 1e-14));
  EXPECT_TRUE(testing::TensorsNear(twice->q, once->q + shift, 1e-14));
}

// Their W1 is 0; the means of large values are not exact.
TEST(TransformPotentials, OfShuffledSamplesIsNotAboveZero) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const at::Tensor p = Normal({101, 2}, 2 * seed);
    const auto transformed = TransformPotentials(
        {p, {}}, {p.flip(0), {}}, 1e9 * Normal({101}, 2 * seed + 1), Norm::kL2);
    ASSERT_TRUE(transformed.ok()) << transformed.status();
    EXPECT_LE(transformed->lower_bound, 0.0);
    EXPECT_GT(transformed->lower_bound, -1e-3);
  }
}

// One distance, whose float64 sum is above the exact one: of 3072 terms that
// each are rounded up. The bound has to stay below it.
TEST(TransformPotentials, RoundingOfTheDistanceIsAccountedFor) {
  for (const double coordinate : {0.1, 0.3, 0.7, 0.9}) {
    const at::Tensor p = at::zeros({1, 3072}, at::kDouble);
    const at::Tensor q = at::full({1, 3072}, coordinate, at::kDouble);
    for (const Norm norm : kAllNorms) {
      const auto transformed = TransformPotentials(
          {p, {}}, {q, {}}, at::zeros({1}, at::kDouble), norm);
      ASSERT_TRUE(transformed.ok()) << transformed.status();
      const long double exact =
          Distance(p.data_ptr<double>(), q.data_ptr<double>(), 3072, norm);
      EXPECT_LE(static_cast<long double>(transformed->lower_bound), exact)
          << NormName(norm) << coordinate;
      EXPECT_GE(transformed->lower_bound,
                static_cast<double>(exact) * (1 - 1e-11));
    }
  }
}

// What is the same for all values is no part of the bound.
TEST(TransformPotentials, AConstantAddedToTheValuesCostsNothing) {
  const at::Tensor p = at::arange(512, at::kDouble).unsqueeze(1);
  const at::Tensor values = 0x1p30 - at::arange(512, at::kDouble);
  const auto transformed =
      TransformPotentials({p, {}}, {p + 3, {}}, values, Norm::kL2);
  ASSERT_TRUE(transformed.ok()) << transformed.status();
  EXPECT_NEAR(transformed->lower_bound, 3.0, 1e-9);
  EXPECT_LE(transformed->lower_bound, 3.0);
}

TEST(TransformPotentials, ValuesMayHaveAGradientAndTheBoundHasNone) {
  const at::Tensor values =
      at::zeros({5}, at::TensorOptions(at::kDouble).requires_grad(true));
  const auto transformed = TransformPotentials(
      {Normal({4, 2}, 1), {}}, {Normal({5, 2}, 2), {}}, values, Norm::kL2);
  ASSERT_TRUE(transformed.ok()) << transformed.status();
  EXPECT_FALSE(transformed->p.requires_grad());
  EXPECT_FALSE(transformed->q.requires_grad());
}

TEST(TransformPotentials, StopsBetweenParts) {
  const at::Tensor p = Normal({3000, 1}, 1);
  int asked = 0;
  const auto stopped =
      TransformPotentials({p, {}}, {p, {}}, p.squeeze(1), Norm::kL2,
                          [&asked] { return ++asked == 3; });
  EXPECT_TRUE(FailsWith(stopped, StatusCode::kCancelled, {"stopped"}));
  EXPECT_EQ(asked, 3);
}

// Distances are worked on in parts; so many points take several.
TEST(TransformPotentials, ManyPointsGiveWhatAllDistancesAtOnceDo) {
  const at::Tensor p = Normal({1100, 2}, 1);
  const at::Tensor q = Normal({2100, 2}, 2) + 1.0;
  const at::Tensor values = q.select(1, 0);
  const auto transformed =
      TransformPotentials({p, {}}, {q, {}}, values, Norm::kL1);
  ASSERT_TRUE(transformed.ok()) << transformed.status();
  const at::Tensor distances = (p.unsqueeze(1) - q.unsqueeze(0)).abs().sum(2);
  const at::Tensor u = (distances + values).amin(1);
  const at::Tensor shift = transformed->p[0] - u[0];
  EXPECT_TRUE(testing::TensorsNear(transformed->p, u + shift, 1e-14));
  EXPECT_TRUE(testing::TensorsNear(
      transformed->q, (u.unsqueeze(1) - distances).amax(0) + shift, 1e-14));
}

TEST(TransformPotentials, BadInputIsAnError) {
  const at::Tensor p = Normal({3, 2}, 1);
  const at::Tensor q = Normal({4, 2}, 2);
  const auto fails = [&](const EmpiricalMeasure& of_p,
                         const EmpiricalMeasure& of_q, const at::Tensor& values,
                         const char* part) {
    return FailsWith(TransformPotentials(of_p, of_q, values, Norm::kL2),
                     StatusCode::kInvalidArgument, {part});
  };
  const at::Tensor zeros = at::zeros({4}, at::kDouble);
  EXPECT_TRUE(fails({p, {}}, {q, {}}, at::zeros({3}), "(4)"));
  EXPECT_TRUE(fails({p, {}}, {q, {}}, {}, "4 points"));
  EXPECT_TRUE(fails({p, {}}, {q, {}}, zeros + kNan, "not finite"));
  EXPECT_TRUE(fails({p, {}}, {Normal({4, 3}, 2), {}}, zeros, "dimension"));
  EXPECT_TRUE(fails({p, at::zeros({3})}, {q, {}}, zeros, "weights are 0"));
  EXPECT_TRUE(fails({p * 1e200, {}}, {q, {}}, zeros, "overflows"));
  // The distances alone do not.
  const auto sum =
      TransformPotentials({Matrix({{0}}), {}}, {Matrix({{0}, {1e308}}), {}},
                          Matrix({{-1.7e308, 1.7e308}}).squeeze(0), Norm::kL1);
  EXPECT_TRUE(FailsWith(sum, StatusCode::kInvalidArgument, {"overflows"}));
}

}  // namespace
}  // namespace lipschitz
