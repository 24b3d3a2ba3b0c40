#include "lipschitz/linalg/upward_norms.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::Matrix;

TEST(FrobeniusUp, IsNotBelowTheNorm) {
  EXPECT_GE(FrobeniusUp(Matrix({{3, 0}, {0, -4}})), 5.0);
  EXPECT_LE(FrobeniusUp(Matrix({{3, 0}, {0, -4}})), 5.0 * (1 + 1e-14));
  // 10⁶ entries whose squares, 0.01, no float64 is: a sum that rounds.
  const at::Tensor tenths = at::full({1000, 1000}, 0.1, at::kDouble);
  EXPECT_GE(static_cast<long double>(FrobeniusUp(tenths)),
            1000.0L * static_cast<long double>(0.1));
  EXPECT_LE(FrobeniusUp(tenths), 100.0 * (1 + 1e-9));
}

TEST(FrobeniusUp, HoldsWhereSquaresUnderflow) {
  EXPECT_GE(FrobeniusUp(at::full({2, 2}, 1e-170, at::kDouble)), 2e-170);
}

TEST(ScaleExponent, BringsTheLargestEntryNearOne) {
  EXPECT_EQ(ScaleExponent(Matrix({{1, -5}})), 3);
  EXPECT_EQ(ScaleExponent(Matrix({{1, -8}})), 4);
  EXPECT_EQ(ScaleExponent(Matrix({{0.3, 0.0}})), -1);
  EXPECT_EQ(ScaleExponent(at::zeros({2, 2}, at::kDouble)), 0);
  EXPECT_EQ(ScaleExponent(Matrix({{std::ldexp(1.0, -1060)}})), -1000);
  EXPECT_EQ(ScaleExponent(Matrix({{std::ldexp(1.0, 1020)}})), 1000);
}

}  // namespace
}  // namespace lipschitz
