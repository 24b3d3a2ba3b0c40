#include "lipschitz/linalg/norm_bound.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/power_iteration.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;
using lipschitz::testing::Matrix;
using lipschitz::testing::SingularValues;

// How far the bound may lie above the norm, relatively.
constexpr double kTightness = 1e-9;
// The rounding of the reference itself.
constexpr double kReferenceSlack = 1e-15;

double SvdNorm(const at::Tensor& w) {
  return SingularValues(w)[0].item<double>();
}

// The bound of `w`, checked against its norm.
void ExpectBounds(const at::Tensor& w, double norm, const std::string& what,
                  double slack = kReferenceSlack) {
  const auto bound = SpectralNormUpperBound(w);
  ASSERT_TRUE(bound.ok()) << what << ": " << bound.status();
  EXPECT_GE(*bound, norm * (1 - slack)) << what;
  EXPECT_LE(*bound, norm * (1 + kTightness))
      << what << ": above by " << *bound / norm - 1;
}

// Random shape, 1 to 40 either way; a third of them vectors or square.
at::Tensor RandomMatrix(std::mt19937* generator) {
  std::uniform_int_distribution<int64_t> size(1, 40);
  std::uniform_int_distribution<int> kind(0, 8);
  int64_t rows = size(*generator);
  int64_t columns = size(*generator);
  switch (kind(*generator)) {
    case 0:
      rows = 1;
      break;
    case 1:
      columns = 1;
      break;
    case 2:
      columns = rows;
      break;
    default:
      break;
  }
  return at::randn({rows, columns}, at::kDouble);
}

at::Tensor Orthonormal(int64_t rows, int64_t columns) {
  const auto svd = at::linalg_svd(at::randn({rows, columns}, at::kDouble),
                                  /*full_matrices=*/false);
  return at::mm(std::get<0>(svd), std::get<2>(svd));
}

at::Tensor WithSingularValues(int64_t rows, int64_t columns,
                              const at::Tensor& values) {
  const auto svd = at::linalg_svd(at::randn({rows, columns}, at::kDouble),
                                  /*full_matrices=*/false);
  return at::mm(std::get<0>(svd) * values, std::get<2>(svd));
}

TEST(SpectralNormUpperBound, HoldsForGaussianMatricesOfEveryShape) {
  std::mt19937 generator(1);
  at::manual_seed(1);
  for (int trial = 0; trial < 200; ++trial) {
    const at::Tensor w = RandomMatrix(&generator);
    ExpectBounds(w, SvdNorm(w), "float64");
    const at::Tensor single = w.to(at::kFloat);
    ExpectBounds(single, SvdNorm(single), "float32");
  }
}

TEST(SpectralNormUpperBound, HoldsAtEveryScale) {
  std::mt19937 generator(2);
  at::manual_seed(2);
  for (int trial = 0; trial < 25; ++trial) {
    const at::Tensor w = RandomMatrix(&generator);
    const double norm = SvdNorm(w);
    // Powers of two, so that the scaled norm is known as well as the norm.
    for (int exponent : {-996, -498, -100, 100, 498, 1000}) {
      ExpectBounds(w * std::ldexp(1.0, exponent), std::ldexp(norm, exponent),
                   "2^" + std::to_string(exponent));
    }
    const at::Tensor single = w.to(at::kFloat);
    const double single_norm = SvdNorm(single);
    for (int exponent : {-100, -66, -20, 20, 66, 120}) {
      ExpectBounds(single * std::ldexp(1.0, exponent),
                   std::ldexp(single_norm, exponent),
                   "float32, 2^" + std::to_string(exponent));
    }
  }
}

TEST(SpectralNormUpperBound, HoldsForSubnormalEntries) {
  const at::Tensor w =
      Matrix({{3 * std::ldexp(1.0, -1074), 4 * std::ldexp(1.0, -1074)}});
  const double bound = SpectralNormUpperBound(w).value();
  EXPECT_GE(bound, 5 * std::ldexp(1.0, -1074));
  EXPECT_LE(bound, 8 * std::ldexp(1.0, -1074));
}

TEST(SpectralNormUpperBound, HoldsForEntriesOfVeryDifferentSizes) {
  at::manual_seed(3);
  for (int trial = 0; trial < 60; ++trial) {
    const at::Tensor w =
        at::randn({12, 9}, at::kDouble) *
        at::pow(10.0, at::rand({12, 9}, at::kDouble) * (trial - 30));
    ExpectBounds(w, SvdNorm(w), "trial " + std::to_string(trial), 3e-15);
  }
}

TEST(SpectralNormUpperBound, HoldsForLowRank) {
  std::mt19937 generator(4);
  at::manual_seed(4);
  for (int trial = 0; trial < 60; ++trial) {
    const at::Tensor shape = RandomMatrix(&generator);
    const int64_t rank = 1 + trial % 3;
    const at::Tensor w = at::mm(at::randn({shape.size(0), rank}, at::kDouble),
                                at::randn({rank, shape.size(1)}, at::kDouble));
    ExpectBounds(w, SvdNorm(w), "rank " + std::to_string(rank));
  }
}

TEST(SpectralNormUpperBound, HoldsForOrthonormalMatrices) {
  std::mt19937 generator(5);
  at::manual_seed(5);
  for (int trial = 0; trial < 60; ++trial) {
    const at::Tensor shape = RandomMatrix(&generator);
    const at::Tensor w = Orthonormal(shape.size(0), shape.size(1));
    ExpectBounds(w, SvdNorm(w), "float64", 3e-15);
    // What a Björck layer stores: orthonormal up to float32.
    const at::Tensor single = w.to(at::kFloat);
    ExpectBounds(single, SvdNorm(single), "float32", 3e-15);
    const at::Tensor noisy =
        w + 1e-4 * at::randn({w.size(0), w.size(1)}, at::kDouble);
    ExpectBounds(noisy, SvdNorm(noisy), "nearly orthonormal", 3e-15);
  }
}

TEST(SpectralNormUpperBound, HoldsForClusteredSingularValues) {
  at::manual_seed(6);
  for (int64_t n : {2, 5, 17, 40}) {
    std::vector<at::Tensor> spectra;
    for (double gap : {1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 0.3}) {
      // All close to one, apart from the first, the last, or every other.
      at::Tensor above = at::ones({n}, at::kDouble);
      above[0] += gap;
      at::Tensor below = at::ones({n}, at::kDouble);
      below[n - 1] -= gap;
      const at::Tensor alternating =
          1 - gap * at::arange(n, at::kDouble).remainder(2);
      const at::Tensor spread =
          1 - gap * at::arange(n, at::kDouble) / static_cast<double>(n);
      spectra.insert(spectra.end(), {above, below, alternating, spread});
    }
    for (const at::Tensor& spectrum : spectra) {
      const double norm = spectrum.max().item<double>();
      ExpectBounds(at::diag(spectrum), norm, "diagonal");
      const at::Tensor w = WithSingularValues(n, n + 3, spectrum);
      // Multiplying the factors rounds.
      ExpectBounds(w, SvdNorm(w), "rotated", 3e-15);
    }
  }
}

// Banded Toeplitz matrices, as convolutions have: bounds by row sums stay where
// they are for many squarings before they improve.
TEST(SpectralNormUpperBound, HoldsForBandedMatrices) {
  for (int64_t n : {8, 30, 100}) {
    const at::Tensor ones = at::ones({n - 1}, at::kDouble);
    const at::Tensor path = at::diag(ones, 1) + at::diag(ones, -1);
    const double pi = std::acos(-1.0);
    ExpectBounds(path, 2 * std::cos(pi / static_cast<double>(n + 1)), "path",
                 3e-15);
    // A cycle with one negative edge.
    at::Tensor cycle = path.clone();
    cycle[0][n - 1] = -1;
    cycle[n - 1][0] = -1;
    ExpectBounds(cycle, 2 * std::cos(pi / static_cast<double>(n)), "cycle",
                 3e-15);
    const at::Tensor upper = at::eye(n, at::kDouble) + at::diag(ones, 1);
    ExpectBounds(upper, SvdNorm(upper), "bidiagonal", 3e-15);
  }
}

// Norms that are known without any rounding.
TEST(SpectralNormUpperBound, IsNotBelowNormsThatAreKnownExactly) {
  const double unit = 1 + std::numeric_limits<double>::epsilon();
  for (int64_t n : {1, 2, 7, 40, 200}) {
    const auto options = at::TensorOptions(at::kDouble);
    ExpectBounds(at::eye(n, options), 1.0, "identity", 0.0);
    ExpectBounds(at::eye(n, options) * unit, unit, "1 + ε", 0.0);
    ExpectBounds(at::eye(n, n + 5, options), 1.0, "wide identity", 0.0);
    ExpectBounds(at::eye(n, options).flip(0) * -3, 3.0, "reversal", 0.0);
    ExpectBounds(at::eye(n, options).roll(1, 0), 1.0, "permutation", 0.0);
    ExpectBounds(at::ones({n, n}, options), static_cast<double>(n), "ones",
                 0.0);
    const at::Tensor diagonal = at::arange(1, n + 1, options);
    ExpectBounds(at::diag(diagonal), static_cast<double>(n), "diagonal", 0.0);
    ExpectBounds(at::diag(-diagonal), static_cast<double>(n), "diagonal", 0.0);
    // |u| |v| = 5 n · 13.
    const at::Tensor u = Matrix({{3, 4}}).repeat({1, n * n}).reshape({-1, 1});
    ExpectBounds(at::mm(u.narrow(0, 0, 2 * n * n), Matrix({{5, 0, 12}})),
                 5.0 * static_cast<double>(n) * 13.0, "rank one", 0.0);
  }
  // Hadamard matrices: H Hᵀ = n I.
  at::Tensor hadamard = at::ones({1, 1}, at::kDouble);
  for (int k = 1; k <= 8; ++k) {
    hadamard = at::cat(
        {at::cat({hadamard, hadamard}, 1), at::cat({hadamard, -hadamard}, 1)},
        0);
    if (k % 2 == 0) {
      ExpectBounds(hadamard, std::ldexp(1.0, k / 2), "Hadamard", 0.0);
    }
  }
}

TEST(SpectralNormUpperBound, OfAZeroMatrixIsZero) {
  EXPECT_EQ(SpectralNormUpperBound(at::zeros({3, 5})).value(), 0.0);
  EXPECT_EQ(SpectralNormUpperBound(at::zeros({1, 1}, at::kDouble)).value(),
            0.0);
}

// Power iteration is below the norm, so that dividing by it leaves layers that
// are not 1-Lipschitz (deel-torchlip at its defaults: 1.013).
TEST(SpectralNormUpperBound, LiesAboveWherePowerIterationLiesBelow) {
  at::manual_seed(7);
  const at::Tensor w = at::randn({1024, 784});
  const double norm = SvdNorm(w);
  EXPECT_LT(PowerIteration(w.to(at::kDouble), 10).sigma, norm * (1 - 1e-4));
  ExpectBounds(w, norm, "1024x784", 3e-15);
}

TEST(SpectralNormUpperBound, DoesNotDependOnTransposition) {
  at::manual_seed(8);
  for (int trial = 0; trial < 10; ++trial) {
    const at::Tensor w = at::randn({4, 9 + trial}, at::kDouble);
    EXPECT_NEAR(SpectralNormUpperBound(w).value(),
                SpectralNormUpperBound(w.t()).value(), 1e-9);
  }
}

TEST(SpectralNormUpperBound, HoldsHoweverFewSquaringsAreAllowed) {
  at::manual_seed(9);
  const at::Tensor w = at::randn({15, 20}, at::kDouble);
  double before = std::numeric_limits<double>::infinity();
  for (int squarings = 0; squarings <= 12; ++squarings) {
    SpectralNormOptions options;
    options.max_squarings = squarings;
    options.relative_gap = 0.0;
    const double bound = SpectralNormUpperBound(w, options).value();
    EXPECT_GE(bound, SvdNorm(w));
    EXPECT_LE(bound, before);
    before = bound;
  }
}

TEST(SpectralNormUpperBound, AMalformedMatrixIsAnErrorWithTheNumbers) {
  EXPECT_TRUE(FailsWith(SpectralNormUpperBound(at::ones({2, 3, 4})),
                        StatusCode::kInvalidArgument, {"(2, 3, 4)"}));
  EXPECT_TRUE(FailsWith(SpectralNormUpperBound(at::ones({0, 3})),
                        StatusCode::kInvalidArgument, {"(0, 3)"}));
  EXPECT_TRUE(FailsWith(SpectralNormUpperBound(at::ones({2, 3}, at::kLong)),
                        StatusCode::kInvalidArgument, {"Long"}));
  at::Tensor infinite = at::ones({2, 3});
  infinite[0][2] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(FailsWith(SpectralNormUpperBound(infinite),
                        StatusCode::kInvalidArgument, {"1 of 6", "(0, 2)"}));
  EXPECT_TRUE(FailsWith(OperatorNormBounds(infinite),
                        StatusCode::kInvalidArgument, {"1 of 6", "(0, 2)"}));
}

TEST(SpectralNormUpperBound, TakesWeightsThatRequireGradients) {
  const at::Tensor w = at::eye(3).requires_grad_(true);
  EXPECT_GE(SpectralNormUpperBound(w).value(), 1.0);
  EXPECT_TRUE(OperatorNormBounds(w).ok());
}

// The norms in closed form, or by enumeration of the corners where they are
// attained.
double LargestOverSigns(const at::Tensor& w, double p) {
  const int64_t columns = w.size(1);
  double largest = 0.0;
  for (int64_t signs = 0; signs < (int64_t{1} << columns); ++signs) {
    at::Tensor x = at::ones({columns}, at::kDouble);
    for (int64_t j = 0; j < columns; ++j) {
      if ((signs >> j) & 1) x[j] = -1;
    }
    largest = std::max(largest, at::mv(w, x).norm(p).item<double>());
  }
  return largest;
}

double TrueOperatorNorm(const at::Tensor& matrix, Norm in, Norm out) {
  const at::Tensor w = matrix.to(at::kDouble);
  const double infinity = std::numeric_limits<double>::infinity();
  const double p = out == Norm::kL1 ? 1.0 : out == Norm::kL2 ? 2.0 : infinity;
  if (in == Norm::kL1) {
    // At a corner of the ball: a column.
    double largest = 0.0;
    for (int64_t j = 0; j < w.size(1); ++j) {
      largest = std::max(largest, w.select(1, j).norm(p).item<double>());
    }
    return largest;
  }
  // At a corner of the cube: a vector of signs.
  if (in == Norm::kLinf) return LargestOverSigns(w, p);
  if (out == Norm::kL2) return SvdNorm(w);
  if (out == Norm::kLinf) {
    return w.square().sum(1).sqrt().max().item<double>();
  }
  // From l2 to l1 is from linf to l2 of the transpose.
  return LargestOverSigns(w.t(), 2.0);
}

bool IsExact(Norm in, Norm out) {
  return in == Norm::kL1 || out == Norm::kLinf ||
         (in == Norm::kL2 && out == Norm::kL2);
}

void ExpectTable(const at::Tensor& w) {
  const auto bounds = OperatorNormBounds(w);
  ASSERT_TRUE(bounds.ok()) << bounds.status();
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) {
      const double norm = TrueOperatorNorm(w, in, out);
      const double bound = bounds->At(in, out);
      const std::string what = NormName(in) + " to " + NormName(out);
      EXPECT_GE(bound, norm * (1 - 2e-15)) << what;
      if (IsExact(in, out)) {
        const double tightness =
            in == Norm::kL2 && out == Norm::kL2 ? kTightness : 1e-13;
        EXPECT_LE(bound, norm * (1 + tightness)) << what;
      } else {
        // Each of the loose bounds is within √min(rows, columns) of the sum
        // over rows of what one row can do; finite above all.
        EXPECT_LE(bound, norm * std::sqrt(40.0)) << what;
      }
    }
  }
}

TEST(OperatorNormBounds, HoldForRandomMatricesAndAreTightForSixPairs) {
  for (int seed = 0; seed < 10; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {1, 6}, {6, 1}, {3, 6}, {6, 3}, {5, 5}}) {
      const at::Tensor w = at::randn({rows, columns}, at::kDouble);
      ExpectTable(w);
      ExpectTable(w.to(at::kFloat));
      // Half of the entries zero.
      ExpectTable(w * (at::rand({rows, columns}) < 0.5) +
                  1e-9 * at::ones({rows, columns}));
    }
  }
}

TEST(OperatorNormBounds, HoldAtEveryScale) {
  at::manual_seed(20);
  const at::Tensor w = at::randn({4, 6}, at::kDouble);
  const BoundTable one = OperatorNormBounds(w).value();
  for (int exponent : {-498, -66, 66, 498}) {
    const BoundTable scaled =
        OperatorNormBounds(w * std::ldexp(1.0, exponent)).value();
    for (Norm in : kAllNorms) {
      for (Norm out : kAllNorms) {
        EXPECT_NEAR(std::ldexp(scaled.At(in, out), -exponent), one.At(in, out),
                    1e-12)
            << exponent;
      }
    }
  }
}

TEST(OperatorNormBounds, OfAKnownMatrix) {
  const BoundTable bounds =
      OperatorNormBounds(Matrix({{3, 0}, {-4, 1}})).value();
  const auto near = [&](Norm in, Norm out, double value) {
    EXPECT_GE(bounds.At(in, out), value);
    EXPECT_LE(bounds.At(in, out), value * (1 + 1e-13));
  };
  near(Norm::kL1, Norm::kL1, 7);
  near(Norm::kL1, Norm::kL2, 5);
  near(Norm::kL1, Norm::kLinf, 4);
  near(Norm::kL2, Norm::kLinf, std::sqrt(17.0));
  near(Norm::kLinf, Norm::kLinf, 5);
  // Σ of the magnitudes, and √(3² + 5²) by rows.
  near(Norm::kLinf, Norm::kL1, 8);
  near(Norm::kLinf, Norm::kL2, std::sqrt(34.0));
}

// A wide orthonormal matrix: √columns · 1 beats the sum over rows.
TEST(OperatorNormBounds, TakeTheBetterOfBothBounds) {
  at::manual_seed(21);
  const BoundTable bounds = OperatorNormBounds(Orthonormal(40, 40)).value();
  EXPECT_LE(bounds.At(Norm::kL2, Norm::kL1), std::sqrt(40.0) * (1 + 1e-6));
  EXPECT_LE(bounds.At(Norm::kLinf, Norm::kL2), std::sqrt(40.0) * (1 + 1e-6));
  // One row of ones: the sum over rows beats √rows · √columns.
  at::Tensor row = at::zeros({9, 4}, at::kDouble);
  row[3] = at::ones({4}, at::kDouble);
  const BoundTable single = OperatorNormBounds(row).value();
  EXPECT_LE(single.At(Norm::kL2, Norm::kL1), 2 * (1 + 1e-12));
  EXPECT_LE(single.At(Norm::kLinf, Norm::kL2), 4 * (1 + 1e-12));
}

// Squares of such entries are not representable; the bounds may be loose there
// but not too low.
TEST(OperatorNormBounds, HoldWhereSquaresUnderflowOrOverflow) {
  at::manual_seed(22);
  const at::Tensor w = at::randn({3, 4}, at::kDouble);
  for (int exponent : {-1000, -600, -530, 520, 600, 1000}) {
    const BoundTable bounds =
        OperatorNormBounds(w * std::ldexp(1.0, exponent)).value();
    for (Norm in : kAllNorms) {
      for (Norm out : kAllNorms) {
        EXPECT_GE(
            bounds.At(in, out),
            std::ldexp(TrueOperatorNorm(w, in, out), exponent) * (1 - 2e-15))
            << NormName(in) << " to " << NormName(out) << ", 2^" << exponent;
      }
    }
  }
}

TEST(OperatorNormBounds, OfAZeroMatrixAreZero) {
  const BoundTable bounds = OperatorNormBounds(at::zeros({3, 4})).value();
  for (Norm in : kAllNorms) {
    for (Norm out : kAllNorms) EXPECT_EQ(bounds.At(in, out), 0.0);
  }
}

}  // namespace
}  // namespace lipschitz
