#include "lipschitz/base/norm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using lipschitz::testing::FailsWith;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Whether `bound` ≥ a·b exactly: the sign of a fused multiply-add is that of
// the exact value.
bool AtLeastProduct(double bound, double a, double b) {
  return std::fma(a, b, -bound) <= 0.0;
}

BoundTable Random(std::mt19937* generator) {
  std::uniform_real_distribution<double> entry(0.1, 10.0);
  std::uniform_int_distribution<int> kind(0, 9);
  BoundTable table;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) {
      const int k = kind(*generator);
      if (k == 0) continue;  // Stays infinite.
      table.Set(in, out, k == 1 ? 0.0 : entry(*generator));
    }
  }
  return table;
}

TEST(Norm, NamesRoundTrip) {
  EXPECT_EQ(NormName(Norm::kL1), "l1");
  EXPECT_EQ(NormName(Norm::kL2), "l2");
  EXPECT_EQ(NormName(Norm::kLinf), "linf");
  for (Norm norm : kAllNorms) {
    const auto parsed = ParseNorm(NormName(norm));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, norm);
  }
}

TEST(Norm, UnknownNameListsTheKnownOnes) {
  for (const char* name : {"l3", "", "L2", "l2 ", "inf"}) {
    EXPECT_TRUE(FailsWith(ParseNorm(name), absl::StatusCode::kInvalidArgument,
                          {"'" + std::string(name) + "'", "l1", "l2", "linf"}));
  }
}

TEST(BoundTable, KnowsNothingAtFirst) {
  const BoundTable table;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) EXPECT_EQ(table.At(in, out), kInfinity);
  }
}

TEST(BoundTable, EntriesDoNotShareStorage) {
  BoundTable table;
  double next = 1.0;
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) table.Set(in, out, next++);
  }
  EXPECT_EQ(table.At(Norm::kL1, Norm::kL1), 1.0);
  EXPECT_EQ(table.At(Norm::kL1, Norm::kLinf), 3.0);
  EXPECT_EQ(table.At(Norm::kL2, Norm::kL1), 4.0);
  EXPECT_EQ(table.At(Norm::kLinf, Norm::kL1), 7.0);
  EXPECT_EQ(table.At(Norm::kLinf, Norm::kLinf), 9.0);
}

// ‖x‖_∞ ≤ ‖x‖₂ ≤ ‖x‖₁: the bound carries over to a smaller norm of the output,
// never to a larger one.
TEST(BoundTable, SameNormHoldsTowardsSmallerNormsOnly) {
  const BoundTable table = BoundTable::SameNorm(3.0);
  for (Norm norm : kAllNorms) EXPECT_EQ(table.At(norm, norm), 3.0);
  EXPECT_EQ(table.At(Norm::kL1, Norm::kL2), 3.0);
  EXPECT_EQ(table.At(Norm::kL1, Norm::kLinf), 3.0);
  EXPECT_EQ(table.At(Norm::kL2, Norm::kLinf), 3.0);
  EXPECT_EQ(table.At(Norm::kL2, Norm::kL1), kInfinity);
  EXPECT_EQ(table.At(Norm::kLinf, Norm::kL1), kInfinity);
  EXPECT_EQ(table.At(Norm::kLinf, Norm::kL2), kInfinity);
}

TEST(BoundTable, ThenTakesTheLeastProductOverTheNormBetween) {
  BoundTable first;
  first.Set(Norm::kL2, Norm::kL1, 8.0);
  first.Set(Norm::kL2, Norm::kL2, 2.0);
  first.Set(Norm::kL2, Norm::kLinf, 4.0);
  BoundTable second;
  second.Set(Norm::kL1, Norm::kL2, 0.25);  // 8 · 0.25 = 2: the least.
  second.Set(Norm::kL2, Norm::kL2, 1.5);   // 2 · 1.5 = 3.
  second.Set(Norm::kLinf, Norm::kL2, 0.75);
  const BoundTable both = first.Then(second);
  EXPECT_DOUBLE_EQ(both.At(Norm::kL2, Norm::kL2), 2.0);
  // Nothing is known about these.
  EXPECT_EQ(both.At(Norm::kL1, Norm::kL2), kInfinity);
  EXPECT_EQ(both.At(Norm::kL2, Norm::kL1), kInfinity);
}

TEST(BoundTable, ThenAppliesTheFirstMapFirst) {
  BoundTable first;
  first.Set(Norm::kL1, Norm::kL2, 2.0);
  BoundTable second;
  second.Set(Norm::kL2, Norm::kLinf, 3.0);
  EXPECT_DOUBLE_EQ(first.Then(second).At(Norm::kL1, Norm::kLinf), 6.0);
  EXPECT_EQ(second.Then(first).At(Norm::kL1, Norm::kLinf), kInfinity);
}

TEST(BoundTable, ThenIsTightAndNeverBelowTheExactProduct) {
  std::mt19937 generator(1);
  for (int trial = 0; trial < 500; ++trial) {
    const BoundTable a = Random(&generator);
    const BoundTable b = Random(&generator);
    const BoundTable both = a.Then(b);
    for (Norm in : kAllNorms) {
      for (Norm out : kAllNorms) {
        const double bound = both.At(in, out);
        double least = kInfinity;
        bool covered = false;
        for (Norm between : kAllNorms) {
          const double x = a.At(in, between);
          const double y = b.At(between, out);
          // A map of constant 0 makes the composition constant.
          const double product = x == 0.0 || y == 0.0 ? 0.0 : x * y;
          least = std::min(least, product);
          covered |= std::isinf(product) ? std::isinf(bound)
                     : product == 0.0    ? true
                                         : AtLeastProduct(bound, x, y);
        }
        EXPECT_TRUE(covered) << bound;
        EXPECT_LE(bound, least * (1.0 + 5e-16));
        EXPECT_GE(bound, least);
      }
    }
  }
}

TEST(BoundTable, ThenWithTheIdentityIsExact) {
  std::mt19937 generator(2);
  const BoundTable identity = BoundTable::SameNorm(1.0);
  BoundTable table;
  double value = 0.1;
  for (Norm norm : kAllNorms) table.Set(norm, norm, value += 0.7);
  const BoundTable after = table.Then(identity);
  const BoundTable before = identity.Then(table);
  for (Norm norm : kAllNorms) {
    EXPECT_EQ(after.At(norm, norm), table.At(norm, norm));
    EXPECT_EQ(before.At(norm, norm), table.At(norm, norm));
  }
}

TEST(BoundTable, ProductOfSmallBoundsDoesNotUnderflowToZero) {
  const BoundTable tiny = BoundTable::SameNorm(1e-200);
  EXPECT_GT(tiny.Then(tiny).At(Norm::kL2, Norm::kL2), 0.0);
  EXPECT_GT(tiny.Times(1e-200).At(Norm::kL2, Norm::kL2), 0.0);
}

TEST(BoundTable, ProductOfHugeBoundsIsInfinite) {
  const BoundTable huge = BoundTable::SameNorm(1e200);
  EXPECT_EQ(huge.Then(huge).At(Norm::kL2, Norm::kL2), kInfinity);
}

// A residual block: x ↦ x + f(x).
TEST(BoundTable, PlusAddsTheBoundsOfBothBranches) {
  BoundTable branch;
  branch.Set(Norm::kL2, Norm::kL2, 0.5);
  branch.Set(Norm::kLinf, Norm::kLinf, 0.0);
  branch.Set(Norm::kL2, Norm::kL1, 2.0);
  const BoundTable sum = BoundTable::SameNorm(1.0).Plus(branch);
  EXPECT_DOUBLE_EQ(sum.At(Norm::kL2, Norm::kL2), 1.5);
  EXPECT_EQ(sum.At(Norm::kLinf, Norm::kLinf), 1.0);
  // The skip connection is not bounded there.
  EXPECT_EQ(sum.At(Norm::kL2, Norm::kL1), kInfinity);
  EXPECT_EQ(sum.At(Norm::kL1, Norm::kL1), kInfinity);
}

TEST(BoundTable, PlusNeverRoundsDownwards) {
  std::mt19937 generator(3);
  std::uniform_real_distribution<double> entry(0.5, 100.0);
  for (int trial = 0; trial < 1000; ++trial) {
    const double a = entry(generator);
    const double b = entry(generator);
    const double sum = BoundTable::SameNorm(a)
                           .Plus(BoundTable::SameNorm(b))
                           .At(Norm::kL2, Norm::kL2);
    // Exact: the two differ by at most 8 binary orders.
    const long double exact =
        static_cast<long double>(a) + static_cast<long double>(b);
    EXPECT_GE(static_cast<long double>(sum), exact);
    EXPECT_LE(sum, (a + b) * (1.0 + 5e-16));
  }
}

TEST(BoundTable, TimesUsesTheMagnitudeOfTheFactor) {
  const BoundTable table = BoundTable::SameNorm(2.0);
  EXPECT_DOUBLE_EQ(table.Times(-3.0).At(Norm::kL2, Norm::kL2), 6.0);
  EXPECT_EQ(table.Times(-1.0).At(Norm::kL2, Norm::kL2), 2.0);
  EXPECT_EQ(table.Times(3.0).At(Norm::kL2, Norm::kL1), kInfinity);
  // 0 · f is constant, whatever f is.
  EXPECT_EQ(table.Times(0.0).At(Norm::kL2, Norm::kL1), 0.0);
}

TEST(BoundTable, TimesNeverRoundsDownwards) {
  std::mt19937 generator(4);
  std::uniform_real_distribution<double> entry(0.01, 100.0);
  for (int trial = 0; trial < 1000; ++trial) {
    const double a = entry(generator);
    const double b = entry(generator);
    const double product =
        BoundTable::SameNorm(a).Times(b).At(Norm::kL1, Norm::kL1);
    EXPECT_TRUE(AtLeastProduct(product, a, b));
    EXPECT_LE(product, a * b * (1.0 + 5e-16));
  }
}

}  // namespace
}  // namespace lipschitz
