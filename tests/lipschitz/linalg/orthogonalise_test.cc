#include "lipschitz/linalg/orthogonalise.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/singular_value_map.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using ::lipschitz::testing::TensorsNear;

struct Parts {
  torch::Tensor left;    // (rows, k), orthonormal columns
  torch::Tensor right;   // (columns, k), orthonormal columns
  torch::Tensor matrix;  // left · diag(values) · rightᵀ
};

// A matrix with these singular values.
Parts MatrixWith(int64_t rows, int64_t columns, const torch::Tensor& values) {
  const int64_t k = values.size(0);
  Parts parts;
  parts.left = std::get<0>(at::linalg_qr(torch::randn({rows, k}, at::kDouble)));
  parts.right =
      std::get<0>(at::linalg_qr(torch::randn({columns, k}, at::kDouble)));
  parts.matrix = at::mm(parts.left * values, parts.right.t());
  return parts;
}

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {12, 12}, {9, 30}, {30, 9}, {2, 40}, {40, 2}};

TEST(MapSingularValuesTest, AgreesWithTheSingularValues) {
  torch::manual_seed(0);
  const OddQuintic p = {1.7, -0.4, 0.09};
  for (const auto& [rows, columns] : kShapes) {
    const int64_t side = std::min(rows, columns);
    const torch::Tensor values = torch::linspace(0.1, 1.4, side, at::kDouble);
    const Parts parts = MatrixWith(rows, columns, values);
    const torch::Tensor mapped =
        values * (p.a + values.square() * (p.b + values.square() * p.c));
    EXPECT_TRUE(TensorsNear(
        MapSingularValues(p, parts.matrix, SmallerGram(parts.matrix)),
        at::mm(parts.left * mapped, parts.right.t()), 1e-12))
        << rows << "×" << columns;
  }
}

TEST(OrthogonaliseTest, SingularValuesComeWithinTheStatedError) {
  torch::manual_seed(1);
  for (const torch::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const int iterations : {3, 5, 7}) {
      const double error = OrthogonaliseError(iterations);
      for (const auto& [rows, columns] : kShapes) {
        const int64_t side = std::min(rows, columns);
        // Down to a thousandth of the norm.
        const torch::Tensor values =
            torch::logspace(0, -2.9, side, 10, at::kDouble);
        const Parts parts = MatrixWith(rows, columns, values * 50);
        const torch::Tensor result =
            Orthogonalise(parts.matrix.to(type), iterations).to(at::kDouble);
        const torch::Tensor inner =
            at::mm(parts.left.t(), at::mm(result, parts.right));
        // The same singular vectors,
        EXPECT_TRUE(TensorsNear(inner, at::diag(inner.diagonal()), 2e-3));
        EXPECT_TRUE(TensorsNear(
            result, at::mm(at::mm(parts.left, inner), parts.right.t()), 2e-3));
        // and values near 1.
        EXPECT_LE((inner.diagonal() - 1).abs().max().item<double>(),
                  error + 2e-3)
            << rows << "×" << columns << ", " << iterations;
      }
    }
  }
}

TEST(OrthogonaliseTest, TheErrorFallsWithTheIterations) {
  double last = 1.0;
  for (int iterations = 1; iterations <= 8; ++iterations) {
    const double error = OrthogonaliseError(iterations);
    EXPECT_LT(error, last) << iterations;
    last = error;
  }
  EXPECT_LT(OrthogonaliseError(5), 0.2);
  EXPECT_LT(OrthogonaliseError(8), 1e-6);
}

TEST(OrthogonaliseTest, ServesEveryRank) {
  torch::manual_seed(2);
  EXPECT_EQ(Orthogonalise(torch::zeros({3, 4}), 5).abs().max().item<double>(),
            0.0);
  // Of rank 2: the projection on its rows' and columns' spaces.
  const Parts parts = MatrixWith(
      8, 6, torch::tensor({3.0, 2.0}, torch::TensorOptions(at::kDouble)));
  EXPECT_TRUE(TensorsNear(Orthogonalise(parts.matrix, 8),
                          at::mm(parts.left, parts.right.t()), 1e-6));
  // A vector has one singular value, its norm.
  const torch::Tensor row = torch::randn({1, 7}, at::kDouble);
  EXPECT_TRUE(TensorsNear(Orthogonalise(row, 5), row / row.norm(), 1e-14));
  EXPECT_TRUE(
      TensorsNear(Orthogonalise(row.t(), 5), row.t() / row.norm(), 1e-14));
}

TEST(OrthogonaliseTest, TheScaleDoesNotMatter) {
  torch::manual_seed(3);
  const torch::Tensor w = torch::randn({16, 24});
  const torch::Tensor expected = Orthogonalise(w, 5);
  for (const double scale : {1e-12, 1e-3, 1e9}) {
    EXPECT_TRUE(TensorsNear(Orthogonalise(scale * w, 5), expected, 1e-4))
        << scale;
  }
  EXPECT_FALSE(expected.requires_grad());
}

}  // namespace
}  // namespace lipschitz
