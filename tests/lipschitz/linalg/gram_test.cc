#include "lipschitz/linalg/gram.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using lipschitz::testing::Matrix;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Around the blocks of 32 in which the triangle is mirrored.
const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1},   {1, 9},    {9, 1},    {2, 2},    {2, 3},    {3, 2},
    {31, 31}, {32, 32},  {33, 33},  {31, 40},  {32, 65},  {33, 34},
    {40, 31}, {65, 32},  {34, 33},  {63, 64},  {64, 64},  {65, 64},
    {64, 65}, {97, 130}, {130, 97}, {128, 20}, {20, 128}, {257, 260}};

// Its definition, from the float64 entries.
at::Tensor ExpectedGram(const at::Tensor& w) {
  const at::Tensor x = w.detach().to(at::kDouble);
  return w.size(0) <= w.size(1) ? at::mm(x, x.t()) : at::mm(x.t(), x);
}

// Sums of k products of Gaussian entries.
double Rounding(const at::Tensor& w) {
  const double unit = w.scalar_type() == at::kFloat ? 6e-8 : 1.2e-16;
  const double length = static_cast<double>(std::max(w.size(0), w.size(1)));
  const double largest = w.detach().to(at::kDouble).abs().max().item<double>();
  return 4 * unit * length * largest * largest;
}

::testing::AssertionResult IsGramOf(const at::Tensor& gram,
                                    const at::Tensor& w) {
  if (gram.scalar_type() != w.scalar_type()) {
    return ::testing::AssertionFailure() << "another type";
  }
  if (!gram.equal(gram.t())) {
    return ::testing::AssertionFailure() << "not symmetric";
  }
  return TensorsNear(gram, ExpectedGram(w), Rounding(w));
}

TEST(SmallerGram, IsTheProductAndSymmetricToTheLastBit) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
        const at::Tensor w = at::randn({rows, columns}, type);
        const at::Tensor before = w.clone();
        EXPECT_TRUE(IsGramOf(SmallerGram(w), w)) << rows << "x" << columns;
        EXPECT_TRUE(w.equal(before));
      }
    }
  }
}

TEST(SmallerGram, OfWideIsOfTheRowsAndOfTallOfTheColumns) {
  const at::Tensor wide = Matrix({{1, 2, 3}, {0, -1, 4}});
  const at::Tensor gram = Matrix({{14, 10}, {10, 17}});
  EXPECT_TRUE(SmallerGram(wide).equal(gram));
  EXPECT_TRUE(SmallerGram(wide.t()).equal(gram));
  EXPECT_TRUE(SmallerGram(wide.t().contiguous()).equal(gram));
  // Of the rows where there is a choice.
  EXPECT_TRUE(
      SmallerGram(Matrix({{1, 2}, {0, 3}})).equal(Matrix({{5, 6}, {6, 9}})));
}

TEST(SmallerGram, ReadsViewsAsTheyAre) {
  at::manual_seed(7);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const at::Tensor base = at::randn({80, 90}, type);
    const std::vector<at::Tensor> views = {
        base.t(),
        base.slice(1, 3, 40),
        base.slice(0, 5, 38).t(),
        base.slice(0, 0, 80, 2).slice(1, 1, 90, 3),
        base.select(0, 4).unsqueeze(0),
        base.select(1, 4).unsqueeze(1),
        base.select(0, 4).unsqueeze(1),
        base.select(0, 4).unsqueeze(0).expand({3, 90}),
        base.flip(0),
    };
    for (size_t i = 0; i < views.size(); ++i) {
      EXPECT_TRUE(IsGramOf(SmallerGram(views[i]), views[i])) << "view " << i;
    }
  }
}

TEST(SmallerGram, OfNoEntriesIsZero) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    EXPECT_EQ(SmallerGram(at::zeros({0, 5}, type)).sizes(),
              (std::vector<int64_t>{0, 0}));
    EXPECT_EQ(SmallerGram(at::zeros({5, 0}, type)).sizes(),
              (std::vector<int64_t>{0, 0}));
    EXPECT_EQ(SmallerGram(at::zeros({0, 0}, type)).sizes(),
              (std::vector<int64_t>{0, 0}));
  }
}

TEST(SmallerGram, HasNoGraph) {
  const at::Tensor w = at::randn({3, 4}).requires_grad_(true);
  EXPECT_FALSE(SmallerGram(w).requires_grad());
  EXPECT_FALSE(SymmetricSquare(SmallerGram(w)).requires_grad());
  EXPECT_TRUE(w.requires_grad());
}

TEST(SmallerGram, IsTheSameForAnyNumberOfThreads) {
  at::manual_seed(8);
  const at::Tensor w = at::randn({515, 520}, at::kDouble);
  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 5}) {
    at::set_num_threads(count);
    EXPECT_TRUE(IsGramOf(SmallerGram(w), w)) << count;
  }
  at::set_num_threads(threads);
}

TEST(SmallerGram, ShowsEntriesThatAreNotFinite) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    at::Tensor w = at::ones({3, 40});
    w[1][17] = bad;
    EXPECT_FALSE(SmallerGram(w)[1][1].isfinite().item<bool>());
    EXPECT_EQ(SmallerGram(w)[0][2].item<double>(), 40.0);
  }
}

TEST(SymmetricSquare, IsTheProductAndSymmetricToTheLastBit) {
  for (const int64_t n : {1, 2, 5, 31, 32, 33, 64, 65, 100}) {
    at::manual_seed(n);
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor half = at::randn({n, n}, type);
      const at::Tensor s = half + half.t();
      const at::Tensor square = SymmetricSquare(s);
      EXPECT_TRUE(square.equal(square.t())) << n;
      EXPECT_EQ(square.scalar_type(), type);
      const at::Tensor exact = s.to(at::kDouble);
      EXPECT_TRUE(TensorsNear(square, at::mm(exact, exact), Rounding(s))) << n;
    }
  }
}

TEST(OrthonormalityDefect, ClosedForms) {
  // ‖c² I − I‖_F = |c² − 1| √side.
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {4, 4}, {3, 7}, {7, 3}, {40, 50}}) {
    const double side = static_cast<double>(std::min(rows, columns));
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const at::Tensor eye = at::eye(rows, columns, type);
      EXPECT_EQ(OrthonormalityDefect(eye), 0.0);
      EXPECT_NEAR(OrthonormalityDefect(2 * eye), 3 * std::sqrt(side), 1e-12);
      EXPECT_NEAR(OrthonormalityDefect(0 * eye), std::sqrt(side), 1e-14);
    }
  }
  // Gram ((1, 1), (1, 1)) of two equal unit rows.
  EXPECT_NEAR(OrthonormalityDefect(Matrix({{0.6, 0.8}, {0.6, 0.8}})),
              std::sqrt(2.0), 1e-15);
}

TEST(OrthonormalityDefect, IsThatOfTheSingularValues) {
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows * 1000 + columns);
    const at::Tensor w = at::randn({rows, columns});
    const double expected =
        (SingularValues(w).square() - 1).norm().item<double>();
    EXPECT_NEAR(OrthonormalityDefect(w), expected, 1e-11 * (1 + expected));
  }
}

// In float32 the sum of the squares would be 1 to the last bit.
TEST(OrthonormalityDefect, IsComputedInFloat64) {
  at::Tensor w = at::zeros({1, 2});
  w[0][0] = 1.0;
  w[0][1] = 1e-5;
  EXPECT_NEAR(OrthonormalityDefect(w), 1e-10, 1e-15);
}

TEST(OrthonormalityDefect, OfEntriesThatAreNotFiniteIsNotFinite) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {1, 3}, {3, 1}, {2, 2}, {40, 33}}) {
      at::Tensor w = at::eye(rows, columns);
      w[0][columns - 1] = bad;
      const double defect = OrthonormalityDefect(w);
      EXPECT_FALSE(std::isfinite(defect)) << rows << "x" << columns;
      if (std::isnan(bad)) {
        EXPECT_TRUE(std::isnan(defect));
      }
    }
  }
}

}  // namespace
}  // namespace lipschitz
