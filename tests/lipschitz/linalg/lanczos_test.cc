#include "lipschitz/linalg/lanczos.h"

#include <ATen/ATen.h>

#include <cmath>

#include "gtest/gtest.h"

namespace lipschitz {
namespace {

double Estimate(const at::Tensor& gram, int steps) {
  return LargestEigenvalueEstimate(
      [&](const at::Tensor& x) { return at::mv(gram, x); }, gram.size(0),
      steps);
}

TEST(LargestEigenvalueEstimate, OfSmallMatricesIsTheEigenvalue) {
  at::manual_seed(1);
  for (const int64_t size : {1, 2, 3, 10, 40}) {
    const at::Tensor w = at::randn({size, size + 2}, at::kDouble);
    const at::Tensor gram = at::mm(w, w.t());
    const double largest = at::linalg_eigvalsh(gram).max().item<double>();
    EXPECT_NEAR(Estimate(gram, 60) / largest, 1.0, 1e-12) << size;
  }
}

TEST(LargestEigenvalueEstimate, IsNeverAboveAndRisesWithTheSteps) {
  at::manual_seed(2);
  const at::Tensor w = at::randn({300, 300}, at::kDouble);
  const at::Tensor gram = at::mm(w, w.t());
  const double largest = at::linalg_eigvalsh(gram).max().item<double>();
  double before = 0.0;
  for (const int steps : {1, 2, 5, 10, 20, 60}) {
    const double estimate = Estimate(gram, steps);
    EXPECT_LE(estimate, largest * (1 + 1e-13)) << steps;
    EXPECT_GE(estimate, before * (1 - 1e-13)) << steps;
    before = estimate;
  }
  EXPECT_GE(before, largest * (1 - 1e-3));
}

TEST(LargestEigenvalueEstimate, TakesMapsOfFewEigenvalues) {
  EXPECT_NEAR(Estimate(at::eye(30, at::kDouble) * 3.0, 60), 3.0, 1e-14);
  EXPECT_EQ(Estimate(at::zeros({30, 30}, at::kDouble), 60), 0.0);
  at::Tensor projection = at::zeros({30, 30}, at::kDouble);
  projection[4][4] = 2.0;
  EXPECT_NEAR(Estimate(projection, 60), 2.0, 1e-14);
}

}  // namespace
}  // namespace lipschitz
