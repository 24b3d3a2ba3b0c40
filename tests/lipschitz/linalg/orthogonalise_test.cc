#include "lipschitz/linalg/orthogonalise.h"

#include <ATen/ATen.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
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

// The singular vectors of `parts` and values within 1 ± error.
void ExpectOrthogonalised(const Parts& parts, const torch::Tensor& result,
                          double error) {
  const torch::Tensor inner =
      at::mm(parts.left.t(), at::mm(result, parts.right));
  EXPECT_TRUE(TensorsNear(inner, at::diag(inner.diagonal()), 2e-3));
  EXPECT_TRUE(TensorsNear(
      result, at::mm(at::mm(parts.left, inner), parts.right.t()), 2e-3));
  EXPECT_LE((inner.diagonal() - 1).abs().max().item<double>(), error + 2e-3);
}

std::vector<OrthogonaliseOptions> OptionsToTry() {
  std::vector<OrthogonaliseOptions> all = {OrthogonaliseOptions::Fast()};
  for (const int iterations : {3, 5, 7}) {
    all.push_back({iterations, 1e-3, false});
    all.push_back({iterations, 0.01, true});
  }
  return all;
}

TEST(OrthogonaliseTest, SingularValuesComeWithinTheStatedError) {
  torch::manual_seed(1);
  for (const torch::ScalarType type : {at::kDouble, at::kFloat}) {
    for (const OrthogonaliseOptions& options : OptionsToTry()) {
      for (const auto& [rows, columns] : kShapes) {
        SCOPED_TRACE(::testing::Message()
                     << rows << "×" << columns << ", " << options.iterations
                     << " from " << options.smallest);
        const int64_t side = std::min(rows, columns);
        // The norms of all of these are under 1.5 times the largest.
        const torch::Tensor values = torch::logspace(
            0, std::log10(1.5 * options.smallest), side, 10, at::kDouble);
        const Parts parts = MatrixWith(rows, columns, values * 50);
        ExpectOrthogonalised(
            parts,
            Orthogonalise(parts.matrix.to(type), options).to(at::kDouble),
            OrthogonaliseError(options));
      }
    }
  }
}

TEST(OrthogonaliseTest, TheSchattenNormReachesFurtherDown) {
  torch::manual_seed(4);
  // 63 of 64 singular values are equal: ‖W‖_F is 8 times the largest, the
  // Schatten norm 1.7 times, and the smallest one is a 54th and a 254th.
  torch::Tensor values = torch::ones({64}, at::kDouble);
  values[63] = 1.0 / 32;
  const Parts parts = MatrixWith(64, 80, values);
  OrthogonaliseOptions options = {3, 1.0 / 54, true};
  ExpectOrthogonalised(parts, Orthogonalise(parts.matrix, options),
                       OrthogonaliseError(options));
  options.schatten = false;
  const torch::Tensor frobenius = Orthogonalise(parts.matrix, options);
  const double last =
      at::mm(parts.left.t(), at::mm(frobenius, parts.right))[63][63]
          .item<double>();
  EXPECT_LT(last, 0.5);
  EXPECT_LT(OrthogonaliseError(options), 0.25);
}

TEST(OrthogonaliseTest, NoSingularValueLeavesTheInterval) {
  torch::manual_seed(5);
  // Of rank 1, where every norm is the singular value itself.
  for (const auto& [rows, columns] : kShapes) {
    const torch::Tensor w =
        torch::mm(torch::randn({rows, 1}), torch::randn({1, columns}));
    for (const OrthogonaliseOptions& options : OptionsToTry()) {
      EXPECT_NEAR(Orthogonalise(w, options).norm().item<double>(), 1.0,
                  OrthogonaliseError(options) + 2e-3);
    }
  }
}

TEST(OrthogonaliseTest, TheErrorFallsWithTheIterations) {
  double last = 1.0;
  for (int iterations = 1; iterations <= 8; ++iterations) {
    const double error = OrthogonaliseError({iterations});
    EXPECT_LT(error, last) << iterations;
    last = error;
  }
  EXPECT_LT(OrthogonaliseError({5}), 0.2);
  EXPECT_LT(OrthogonaliseError({8}), 1e-6);
  EXPECT_LT(OrthogonaliseError(OrthogonaliseOptions::Fast()), 0.35);
}

TEST(OrthogonaliseTest, ServesEveryRank) {
  torch::manual_seed(2);
  EXPECT_EQ(Orthogonalise(torch::zeros({3, 4})).abs().max().item<double>(),
            0.0);
  // Of rank 2: the projection on its rows' and columns' spaces.
  const Parts parts = MatrixWith(
      8, 6, torch::tensor({3.0, 2.0}, torch::TensorOptions(at::kDouble)));
  EXPECT_TRUE(TensorsNear(Orthogonalise(parts.matrix, {8}),
                          at::mm(parts.left, parts.right.t()), 1e-6));
  // A vector has one singular value, its norm.
  const torch::Tensor row = torch::randn({1, 7}, at::kDouble);
  EXPECT_TRUE(TensorsNear(Orthogonalise(row), row / row.norm(), 1e-14));
  EXPECT_TRUE(TensorsNear(Orthogonalise(row.t()), row.t() / row.norm(), 1e-14));
}

TEST(OrthogonaliseTest, TheScaleDoesNotMatter) {
  torch::manual_seed(3);
  const torch::Tensor w = torch::randn({16, 24});
  const torch::Tensor expected = Orthogonalise(w);
  for (const double scale : {1e-12, 1e-3, 1e9}) {
    EXPECT_TRUE(TensorsNear(Orthogonalise(scale * w), expected, 1e-4)) << scale;
  }
  EXPECT_FALSE(expected.requires_grad());
}

}  // namespace
}  // namespace lipschitz
