#include "benchmarks/polar_candidates.h"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "benchmarks/matrices.h"
#include "gtest/gtest.h"

namespace lipschitz::benchmarks {
namespace {

constexpr int64_t kSide = 48;

double RelativeError(const at::Tensor& u, const at::Tensor& exact) {
  return (u.to(at::kDouble) - exact).norm().item<double>() /
         std::sqrt(static_cast<double>(kSide));
}

TEST(PolarCandidates, AllFindThePolarFactor) {
  for (const double condition : {1.0, 1.2, 10.0, 300.0}) {
    at::manual_seed(1);
    const at::Tensor w = MatrixWithCondition(kSide, kSide, condition);
    const at::Tensor exact = ExactPolarFactor(w);
    for (const PolarCandidate& candidate : PolarCandidates()) {
      SCOPED_TRACE(candidate.name + ", condition " + std::to_string(condition));
      const CandidateResult result = candidate.run(w);
      // Rounding in float32 reaches the factor times the condition number.
      EXPECT_LE(RelativeError(result.weight, exact), 2e-6 + 2e-6 * condition);
      EXPECT_GE(result.iterations, 0);
      EXPECT_LE(result.iterations, 40);
    }
  }
}

TEST(Matrices, HaveTheSingularValuesTheyPromise) {
  at::manual_seed(2);
  for (const auto& [rows, columns] :
       {std::pair<int64_t, int64_t>(24, 24), {24, 60}, {60, 24}}) {
    const auto values = [](const at::Tensor& w) {
      return std::get<1>(at::linalg_svd(w.to(at::kDouble), false));
    };
    const at::Tensor orthonormal = values(OrthonormalMatrix(rows, columns));
    EXPECT_LE((orthonormal - 1).abs().max().item<double>(), 1e-6);
    const at::Tensor near = values(NearOrthonormalMatrix(rows, columns));
    EXPECT_GT((near - 1).abs().max().item<double>(), 1e-5);
    EXPECT_LT((near - 1).abs().max().item<double>(), 1e-2);
    const at::Tensor spread = values(MatrixWithCondition(rows, columns, 50));
    EXPECT_NEAR(spread[0].item<double>(), 1.0, 1e-5);
    EXPECT_NEAR(spread[23].item<double>(), 0.02, 1e-5);
  }
}

}  // namespace
}  // namespace lipschitz::benchmarks
