#include "lipschitz/base/pairwise_distances.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"

namespace lipschitz {
namespace {

long double Distance(const at::Tensor& x, const at::Tensor& y, Norm norm) {
  long double sum = 0.0L;
  long double largest = 0.0L;
  for (int64_t k = 0; k < x.size(0); ++k) {
    const long double d =
        std::fabs(static_cast<long double>(x[k].item<double>()) -
                  static_cast<long double>(y[k].item<double>()));
    sum += norm == Norm::kL2 ? d * d : d;
    largest = std::max(largest, d);
  }
  if (norm == Norm::kLinf) return largest;
  return norm == Norm::kL2 ? std::sqrt(sum) : sum;
}

// Near each other and far from 0, where a product would cancel, and so small
// that squares are below the range of float64.
TEST(PairwiseDistances, AreOffByNoMoreThanIsSaid) {
  for (const double scale : {1.0, 1e-4, 1e-155, 1e-161, 3e-162, 1e150}) {
    for (const int64_t dim : {1, 2, 7, 300}) {
      const at::Tensor x =
          at::randn({4, dim}, at::kDouble) * scale + (scale == 1e-4 ? 1e4 : 0);
      const at::Tensor y =
          at::randn({5, dim}, at::kDouble) * scale + (scale == 1e-4 ? 1e4 : 0);
      for (const Norm norm : kAllNorms) {
        const at::Tensor distances = PairwiseDistances(x, y, norm);
        ASSERT_EQ(distances.size(0), 4);
        ASSERT_EQ(distances.size(1), 5);
        for (int64_t i = 0; i < 4; ++i) {
          for (int64_t j = 0; j < 5; ++j) {
            const auto computed = distances[i][j].item<double>();
            const long double exact = Distance(x[i], y[j], norm);
            const double allowed = PairwiseDistanceError(computed, dim);
            EXPECT_LE(std::fabs(computed - exact), allowed)
                << NormName(norm) << scale << " " << dim;
            if (scale > 1e-150) {
              EXPECT_LE(allowed, 1e-12 * computed);
            }
          }
        }
      }
    }
  }
}

TEST(PairwiseDistances, OverflowToInfinity) {
  const at::Tensor x = at::full({1, 2}, 1e200, at::kDouble);
  EXPECT_TRUE(std::isinf(PairwiseDistances(x, -x, Norm::kL2).item<double>()));
  EXPECT_EQ(PairwiseDistances(x, -x, Norm::kLinf).item<double>(), 2e200);
}

}  // namespace
}  // namespace lipschitz
