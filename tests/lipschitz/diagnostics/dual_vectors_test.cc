#include "lipschitz/diagnostics/dual_vectors.h"

#include <ATen/ATen.h>
#include <torch/utils.h>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using testing::Matrix;
using testing::TensorsNear;

TEST(DualVectorsTest, NormsAreThoseOfTheRows) {
  const at::Tensor z = Matrix({{3, -4}, {0, 0}, {1, 1}});
  EXPECT_TRUE(
      TensorsNear(RowNorms(z, Norm::kL1), Matrix({{7, 0, 2}})[0], 1e-15));
  EXPECT_TRUE(TensorsNear(RowNorms(z, Norm::kL2),
                          Matrix({{5, 0, 1.4142135623730951}})[0], 1e-15));
  EXPECT_TRUE(
      TensorsNear(RowNorms(z, Norm::kLinf), Matrix({{4, 0, 1}})[0], 1e-15));
  for (const Norm norm : kAllNorms) EXPECT_EQ(DualNorm(DualNorm(norm)), norm);
}

// Hölder's inequality, and that the vectors make it an equation.
TEST(DualVectorsTest, SteepestVectorsAttainTheDualNorm) {
  torch::manual_seed(1);
  for (const Norm norm : kAllNorms) {
    for (const double scale : {1e-200, 1.0, 1e200}) {
      const at::Tensor z = scale * at::randn({50, 7}, at::kDouble);
      const at::Tensor v = SteepestVectors(z, norm);
      EXPECT_TRUE(
          TensorsNear(RowNorms(v, norm), at::ones({50}, at::kDouble), 1e-14));
      const at::Tensor product = (v * (z / scale)).sum(1);
      EXPECT_TRUE(
          TensorsNear(product, RowNorms(z / scale, DualNorm(norm)), 1e-13))
          << NormName(norm);
    }
    const at::Tensor none = SteepestVectors(at::zeros({2, 3}), norm);
    EXPECT_LE(RowNorms(none, norm).max().item<double>(), 1.0);
    EXPECT_TRUE(none.isfinite().all().item<bool>());
  }
}

}  // namespace
}  // namespace lipschitz
