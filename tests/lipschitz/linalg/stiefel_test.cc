#include "lipschitz/linalg/stiefel.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/linalg/norm_bound.h"
#include "tests/testing/instruction_sets.h"
#include "tests/testing/status.h"
#include "tests/testing/tensors.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::EveryInstructionSet;
using lipschitz::testing::FailsWith;
using lipschitz::testing::GradientsAgree;
using lipschitz::testing::InstructionSetName;
using lipschitz::testing::Matrix;
using lipschitz::testing::OnInstructionSet;
using lipschitz::testing::SingularValues;
using lipschitz::testing::TensorsNear;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

const std::vector<std::pair<int64_t, int64_t>> kShapes = {
    {1, 1}, {1, 7},  {7, 1},   {2, 2},   {5, 5},
    {6, 9}, {12, 7}, {33, 32}, {30, 64}, {64, 64}};

at::Tensor ExactPolarFactor(const at::Tensor& w) {
  const auto svd = at::linalg_svd(w.detach().to(at::kDouble),
                                  /*full_matrices=*/false);
  return at::mm(std::get<0>(svd), std::get<2>(svd));
}

at::Tensor RandomOrthonormal(int64_t rows, int64_t columns) {
  return ExactPolarFactor(at::randn({rows, columns}, at::kDouble));
}

// A random matrix of spectral norm 1.
at::Tensor RandomDirection(int64_t rows, int64_t columns) {
  const at::Tensor x = at::randn({rows, columns}, at::kDouble);
  return x / SingularValues(x).max();
}

// ‖Gram − I‖₂ from the singular values.
double Defect(const at::Tensor& w) {
  return (SingularValues(w).square() - 1).abs().max().item<double>();
}

TEST(Retract, ADefectBecomesThreeQuartersOfItsSquare) {
  RetractionOptions options;
  options.max_steps = 1;
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const double size : {1e-4, 1e-3, 1e-2, 0.1, 0.2}) {
        const at::Tensor w = RandomOrthonormal(rows, columns) +
                             size * RandomDirection(rows, columns);
        const double defect = Defect(w);
        const RetractionResult result = Retract(w, options).value();
        EXPECT_EQ(result.steps, 1);
        EXPECT_FALSE(result.restarted);
        EXPECT_LE(Defect(result.weight),
                  defect * defect * (0.75 + 0.25 * defect) + 1e-14)
            << rows << "x" << columns << ", moved by " << size;
        // Not by more: the bound is attained by the largest singular value.
        EXPECT_GE(Defect(result.weight),
                  0.5 * defect * defect * (1 - defect) - 1e-14);
      }
    }
  }
}

// W ← W − ½ (Gram − I) W maps σ to σ (3 − σ²) / 2 and keeps the vectors.
TEST(Retract, StepsAreNewtonSchulz) {
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows + columns);
    const at::Tensor w = RandomOrthonormal(rows, columns) +
                         0.15 * RandomDirection(rows, columns);
    at::Tensor expected = w;
    for (int steps = 1; steps <= 3; ++steps) {
      expected = 1.5 * expected -
                 0.5 * at::mm(at::mm(expected, expected.t()), expected);
      RetractionOptions options;
      options.max_steps = steps;
      options.tolerance = 1e-300;
      const RetractionResult result = Retract(w, options).value();
      EXPECT_EQ(result.steps, steps);
      EXPECT_TRUE(TensorsNear(result.weight, expected, 1e-13));
    }
  }
}

TEST(Retract, StopsAtTheToleranceAndAtTheMostSteps) {
  at::manual_seed(4);
  const at::Tensor w =
      1.05 * RandomOrthonormal(20, 30);  // defect 0.1025, then 0.0081
  RetractionOptions options;
  options.tolerance = 1e-2;
  EXPECT_EQ(Retract(w, options)->steps, 1);
  options.tolerance = 5e-3;
  EXPECT_EQ(Retract(w, options)->steps, 2);
  options.tolerance = 1e-12;
  EXPECT_EQ(Retract(w, options)->steps, 2);
  options.max_steps = 10;
  EXPECT_LE(Retract(w, options)->steps, 5);
  EXPECT_LE(Defect(Retract(w, options)->weight), 1e-12);
}

TEST(Retract, ReportsTheDefect) {
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows * columns);
    const double side = static_cast<double>(std::min(rows, columns));
    for (const double size : {0.0, 1e-3, 0.05, 0.2}) {
      const at::Tensor w = RandomOrthonormal(rows, columns) +
                           size * RandomDirection(rows, columns);
      const double defect = Defect(w);
      const double reported = Retract(w)->defect;
      EXPECT_GE(reported, 0.8 * defect - 1e-14) << rows << "x" << columns;
      EXPECT_LE(reported, std::max(1.1, std::sqrt(side)) * defect + 1e-13)
          << rows << "x" << columns;
    }
  }
}

TEST(Retract, ManyStepsDriftNoFurtherThanTheTolerance) {
  for (const double tolerance : {1e-2, 0.1}) {
    RetractionOptions options;
    options.tolerance = tolerance;
    for (const auto& [rows, columns] : kShapes) {
      for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
        at::manual_seed(rows + 3 * columns);
        at::Tensor w = RandomOrthonormal(rows, columns).to(type);
        const at::Tensor start = w;
        for (int step = 0; step < 500; ++step) {
          w = w + (0.03 * RandomDirection(rows, columns)).to(type);
          const auto result = Retract(w, options);
          ASSERT_TRUE(result.ok()) << result.status();
          w = result->weight;
          ASSERT_EQ(w.scalar_type(), type);
          if (step % 25 == 24) {
            const at::Tensor sigma = SingularValues(w);
            ASSERT_GE(sigma.min().item<double>(), std::sqrt(1 - tolerance))
                << rows << "x" << columns << " step " << step;
            ASSERT_LE(sigma.max().item<double>(), 1 + 1e-6)
                << rows << "x" << columns << " step " << step;
          }
        }
        if (rows * columns > 1) {
          EXPECT_GT((w - start).norm().item<double>(), 0.1);
        }
      }
    }
  }
}

// Steps of every size, so that nearly every one is followed by a restart or a
// defect that two Newton–Schulz steps leave: it does not build up.
TEST(Retract, LargeStepsDoNotAddUp) {
  for (const auto& [rows, columns] : kShapes) {
    if (rows * columns == 1) continue;  // may become 0
    at::manual_seed(rows + 5 * columns);
    at::Tensor w = RandomOrthonormal(rows, columns).to(at::kFloat);
    int restarts = 0;
    for (int step = 0; step < 200; ++step) {
      const double size = std::vector<double>{0.05, 0.3, 0.6, 4.0}[step % 4];
      w = w + (size * RandomDirection(rows, columns)).to(at::kFloat);
      const auto result = Retract(w);
      ASSERT_TRUE(result.ok()) << result.status();
      w = result->weight;
      restarts += result->restarted ? 1 : 0;
      // Two steps turn 0.8, the most that is not restarted, into 0.33; the
      // power iteration may have seen less than there was.
      ASSERT_LE(Defect(w), 0.45) << rows << "x" << columns << " step " << step;
      ASSERT_LE(SingularValues(w).max().item<double>(), 1 + 1e-5)
          << rows << "x" << columns << " step " << step;
    }
    EXPECT_GE(restarts, 40) << rows << "x" << columns;
  }
}

// x (3 − x²) / 2 ≤ 1 for x ≥ 0.
TEST(Retract, LeavesNoSingularValueAboveOne) {
  for (int seed = 0; seed < 5; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const double size : {1e-3, 0.05, 0.1, 0.2, 0.3, 0.5, 2.0}) {
        const at::Tensor w = RandomOrthonormal(rows, columns) +
                             size * RandomDirection(rows, columns);
        const auto result = Retract(w);
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_LE(SingularValues(result->weight).max().item<double>(),
                  1 + 1e-13)
            << rows << "x" << columns << ", moved by " << size;
      }
    }
  }
}

// Whatever the step, and never the wrong sign: Newton–Schulz turns a singular
// value above √3 around.
TEST(Retract, KeepsThePolarFactorForStepsOfEverySize) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      if (rows * columns == 1) continue;
      for (const double size :
           {0.01, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0, 100.0, 1e6}) {
        const at::Tensor w = RandomOrthonormal(rows, columns) +
                             size * RandomDirection(rows, columns);
        const auto result = Retract(w);
        ASSERT_TRUE(result.ok()) << result.status();
        const double defect = Defect(w);
        EXPECT_EQ(result->steps > 0, !result->restarted);
        if (defect < 0.7) {
          EXPECT_FALSE(result->restarted) << defect;
        }
        if (defect > 1.0) {
          EXPECT_TRUE(result->restarted) << defect;
        }
        EXPECT_LE(Defect(result->weight), result->restarted ? 1e-12 : 0.45)
            << rows << "x" << columns << ", moved by " << size;
        // Vectors of tiny singular values are not determined.
        if (SingularValues(w).min().item<double>() < 1e-3) continue;
        EXPECT_TRUE(TensorsNear(ExactPolarFactor(result->weight),
                                ExactPolarFactor(w), 1e-9))
            << rows << "x" << columns << ", moved by " << size;
      }
    }
  }
}

TEST(Retract, OneSingularValueFarAwayIsNoticed) {
  for (const int64_t side : {5, 40, 200}) {
    at::manual_seed(side);
    for (const double value : {0.05, 0.3, 1.5, 1.75, 2.5, 30.0}) {
      at::Tensor values = at::ones({side}, at::kDouble);
      values[side / 2] = value;
      const at::Tensor u = RandomOrthonormal(side, side);
      const at::Tensor v = RandomOrthonormal(side, side + 7);
      const at::Tensor w = at::mm(u * values, v).to(at::kFloat);
      const RetractionResult result = Retract(w).value();
      EXPECT_TRUE(result.restarted) << side << " " << value;
      EXPECT_TRUE(TensorsNear(result.weight, at::mm(u, v), 1e-5))
          << side << " " << value;
    }
  }
}

TEST(Retract, HugeStepRestartsAndIsOrthonormal) {
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows + columns);
    const at::Tensor direction = at::randn({rows, columns});
    // Squares of the last ones, or sums of squares, are not representable.
    for (const double scale :
         {10.0, 1e3, 1e6, 1e9, 1e10, 1e15, 1e18, 1e19, 1e25, 1e37}) {
      const at::Tensor w = at::eye(rows, columns) + scale * direction;
      ASSERT_TRUE(w.isfinite().all().item<bool>());
      const auto result = Retract(w);
      ASSERT_TRUE(result.ok()) << scale << ": " << result.status();
      EXPECT_TRUE(result->restarted) << scale;
      EXPECT_EQ(result->steps, 0);
      EXPECT_GT(result->defect, 0.8);
      EXPECT_LE(Defect(result->weight), 1e-5)
          << rows << "x" << columns << " " << scale;
    }
  }
}

TEST(Retract, TinyWeightRestarts) {
  at::manual_seed(2);
  for (const double scale : {1e-3, 1e-20, 1e-37}) {
    const at::Tensor w = at::randn({5, 8});
    const RetractionResult result = Retract(scale * w).value();
    EXPECT_TRUE(result.restarted) << scale;
    EXPECT_TRUE(TensorsNear(result.weight, ExactPolarFactor(w), 1e-5)) << scale;
  }
}

TEST(Retract, LeavesItsArgumentAloneAndHasNoGraph) {
  at::manual_seed(3);
  for (const double size : {0.0, 0.1, 10.0}) {
    const at::Tensor w =
        (RandomOrthonormal(4, 6) + size * RandomDirection(4, 6))
            .requires_grad_(true);
    const at::Tensor before = w.detach().clone();
    const RetractionResult result = Retract(w).value();
    EXPECT_FALSE(result.weight.requires_grad());
    EXPECT_TRUE(w.detach().equal(before));
    EXPECT_TRUE(w.requires_grad());
  }
}

TEST(Retract, RefusesWhatIsNotFinite) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      at::Tensor w = at::eye(3, 4, type);
      w[2][1] = bad;
      EXPECT_TRUE(FailsWith(Retract(w), StatusCode::kInvalidArgument,
                            {"retraction", "1 of 12", "(2, 1)"}));
      EXPECT_TRUE(FailsWith(Polish(w), StatusCode::kInvalidArgument,
                            {"polish", "1 of 12", "(2, 1)"}));
    }
  }
}

TEST(Retract, RefusesZero) {
  EXPECT_TRUE(FailsWith(Retract(at::zeros({3, 4})),
                        StatusCode::kInvalidArgument, {"(3, 4)", "zero"}));
  EXPECT_TRUE(FailsWith(Polish(at::zeros({3, 4})), StatusCode::kInvalidArgument,
                        {"(3, 4)", "zero"}));
}

TEST(RetractionOptions, OutOfRangeAreErrorsWithTheNumber) {
  EXPECT_TRUE(RetractionOptions().Validate().ok());
  RetractionOptions options;
  options.max_steps = 0;
  EXPECT_TRUE(FailsWith(Retract(at::eye(2), options),
                        StatusCode::kInvalidArgument, {"got 0"}));
  for (const double tolerance : {0.0, -0.5, kNan}) {
    options = RetractionOptions();
    options.tolerance = tolerance;
    EXPECT_TRUE(FailsWith(Retract(at::eye(2), options),
                          StatusCode::kInvalidArgument, {"tolerance"}));
  }
}

// A start as a weight's that has never drifted.
at::Tensor FirstDirection(const at::Tensor& w) {
  const int64_t side = std::min(w.size(0), w.size(1));
  const at::Tensor v = at::ones({side}, w.options());
  return v / v.norm();
}

using EstimateDefectOnTarget = OnInstructionSet;
INSTANTIATE_TEST_SUITE_P(, EstimateDefectOnTarget, EveryInstructionSet(),
                         InstructionSetName);

TEST_P(EstimateDefectOnTarget, IsFromBelowAndNotFar) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const double size : {1e-3, 0.05, 0.3, 5.0}) {
        const at::Tensor w = RandomOrthonormal(rows, columns) +
                             size * RandomDirection(rows, columns);
        const at::Tensor before = w.clone();
        at::Tensor v = FirstDirection(w);
        const double estimate = EstimateDefect(w, v);
        EXPECT_LE(estimate, Defect(w) * (1 + 1e-10))
            << rows << "x" << columns << ", moved by " << size;
        EXPECT_GE(estimate, 0.4 * Defect(w))
            << rows << "x" << columns << ", moved by " << size;
        EXPECT_NEAR(v.norm().item<double>(), 1.0, 1e-12);
        EXPECT_TRUE(w.equal(before));
      }
    }
  }
}

// Called again and again, it stays above what the constraint allows for.
TEST(EstimateDefect, GetsBetterFromItsOwnDirection) {
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows + columns);
    const at::Tensor w =
        RandomOrthonormal(rows, columns) + 0.1 * RandomDirection(rows, columns);
    at::Tensor v = FirstDirection(w);
    double estimate = 0.0;
    for (int i = 0; i < 60; ++i) estimate = EstimateDefect(w, v);
    EXPECT_GE(estimate, Defect(w) / 1.5) << rows << "x" << columns;
  }
}

// The direction of an old drift is a bad start for the next one.
TEST(EstimateDefect, SeesADriftOrthogonalToTheLastDirection) {
  for (const auto& [rows, columns] :
       std::vector<std::pair<int64_t, int64_t>>{{40, 60}, {60, 40}, {50, 50}}) {
    at::manual_seed(rows + columns);
    const at::Tensor u = RandomOrthonormal(rows, columns);
    const bool wide = rows <= columns;
    const int64_t side = std::min(rows, columns);
    const at::Tensor q = RandomOrthonormal(side, side);
    // The smaller Gram matrix gets the eigenvalue 1.2² along `along`.
    const auto stretched = [&](const at::Tensor& along) {
      const at::Tensor factor =
          at::eye(side, at::kDouble) + 0.2 * at::outer(along, along);
      return wide ? at::mm(factor, u) : at::mm(u, factor);
    };
    at::Tensor v = FirstDirection(u);
    EXPECT_NEAR(EstimateDefect(stretched(q[0]), v), 0.44, 0.01);
    EXPECT_NEAR(v.dot(q[0]).abs().item<double>(), 1.0, 1e-6);
    EXPECT_NEAR(EstimateDefect(stretched(q[1]), v), 0.44, 0.01);
    EXPECT_NEAR(v.dot(q[1]).abs().item<double>(), 1.0, 1e-6);
  }
}

TEST(EstimateDefect, OfWhatIsNotFiniteIsNotFiniteAndLeavesTheDirection) {
  for (const double bad : {kNan, kInfinity}) {
    at::Tensor w = at::eye(3, 4);
    w[1][2] = bad;
    at::Tensor v = FirstDirection(w);
    const at::Tensor before = v.clone();
    EXPECT_FALSE(std::isfinite(EstimateDefect(w, v)));
    EXPECT_TRUE(v.equal(before));
  }
  // No drift has no direction.
  at::Tensor v = FirstDirection(at::eye(3, 4));
  const at::Tensor before = v.clone();
  EXPECT_EQ(EstimateDefect(at::eye(3, 4), v), 0.0);
  EXPECT_TRUE(v.equal(before));
}

TEST(EstimateDefect, ADirectionOfAnotherLengthIsAnError) {
  for (const int64_t length : {2, 4, 5}) {
    EXPECT_THROW(EstimateDefect(at::eye(3, 4), at::ones({length})), c10::Error)
        << length;
  }
}

TEST(Polish, IsTheClosestMatrixRoundedToItsType) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      for (const double size : {1e-5, 1e-2, 0.5, 100.0}) {
        const at::Tensor w = RandomOrthonormal(rows, columns) +
                             size * RandomDirection(rows, columns);
        if (SingularValues(w).min().item<double>() < 1e-3) continue;
        const at::Tensor single = w.to(at::kFloat);
        const at::Tensor polished = Polish(single).value();
        EXPECT_EQ(polished.scalar_type(), at::kFloat);
        EXPECT_TRUE(TensorsNear(polished, ExactPolarFactor(single), 6.1e-8))
            << rows << "x" << columns << ", moved by " << size;
        EXPECT_TRUE(TensorsNear(Polish(w).value(), ExactPolarFactor(w), 1e-12))
            << rows << "x" << columns << ", moved by " << size;
      }
    }
  }
}

TEST(Polish, BoundIsOneAndASecondTimeNothingChanges) {
  std::vector<std::pair<int64_t, int64_t>> shapes = kShapes;
  shapes.insert(shapes.end(), {{128, 784}, {256, 256}, {300, 10}, {1, 2000}});
  for (const auto& [rows, columns] : shapes) {
    at::manual_seed(rows + columns);
    for (const double size : {1e-6, 1e-3, 3.0}) {
      const at::Tensor w = (RandomOrthonormal(rows, columns) +
                            size * RandomDirection(rows, columns))
                               .to(at::kFloat);
      const at::Tensor polished = Polish(w).value();
      EXPECT_LE(*SpectralNormUpperBound(polished), 1 + 1e-6)
          << rows << "x" << columns;
      EXPECT_GE(SingularValues(polished).min().item<double>(), 1 - 1e-6)
          << rows << "x" << columns;
      EXPECT_TRUE(Polish(polished)->equal(polished)) << rows << "x" << columns;
    }
  }
}

TEST(Polish, KeepsWhatIsOrthonormalBitForBit) {
  const at::Tensor permutation = Matrix({{0, -1, 0}, {1, 0, 0}, {0, 0, 1}});
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    EXPECT_TRUE(Polish(permutation.to(type))->equal(permutation.to(type)));
  }
  // A rounded one, of any shape, but not one that has drifted.
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows + columns);
    const at::Tensor w = RandomOrthonormal(rows, columns).to(at::kFloat);
    EXPECT_TRUE(Polish(w)->equal(w)) << rows << "x" << columns;
    const at::Tensor drifted = w * (1 + 1e-5);
    EXPECT_FALSE(Polish(drifted)->equal(drifted)) << rows << "x" << columns;
  }
}

TEST(Polish, HasNoGraph) {
  const at::Tensor exact = at::eye(3, 4).requires_grad_(true);
  EXPECT_FALSE(Polish(exact)->requires_grad());
  const at::Tensor other = at::randn({3, 4}).requires_grad_(true);
  EXPECT_FALSE(Polish(other)->requires_grad());
}

TEST(Polish, RefusesWhatIsNoMatrix) {
  EXPECT_TRUE(FailsWith(Polish(at::Tensor()), StatusCode::kInvalidArgument,
                        {"polish", "no tensor"}));
  EXPECT_TRUE(FailsWith(Polish(at::zeros({0, 5})), StatusCode::kInvalidArgument,
                        {"(0, 5)"}));
  EXPECT_TRUE(FailsWith(Polish(at::ones({2, 2}, at::kLong)),
                        StatusCode::kInvalidArgument, {"Long"}));
  EXPECT_TRUE(FailsWith(Polish(at::ones({2, 2, 2})),
                        StatusCode::kInvalidArgument, {"(2, 2, 2)"}));
}

TEST(ProjectOntoTangentSpace, IsTheOrthogonalProjection) {
  for (int seed = 0; seed < 3; ++seed) {
    at::manual_seed(seed);
    for (const auto& [rows, columns] : kShapes) {
      const bool wide = rows <= columns;
      const at::Tensor w = RandomOrthonormal(rows, columns);
      const at::Tensor g = at::randn({rows, columns}, at::kDouble);
      const at::Tensor before = g.clone();
      const at::Tensor tangent = ProjectOntoTangentSpace(g, w);
      EXPECT_TRUE(g.equal(before));
      // In the tangent space: to first order the Gram matrix does not change.
      const at::Tensor product =
          wide ? at::mm(tangent, w.t()) : at::mm(w.t(), tangent);
      EXPECT_TRUE(TensorsNear(product, -product.t(), 1e-12))
          << rows << "x" << columns;
      EXPECT_TRUE(
          TensorsNear(ProjectOntoTangentSpace(tangent, w), tangent, 1e-12));
      // What is left over is orthogonal to every tangent vector.
      for (int i = 0; i < 5; ++i) {
        const at::Tensor other =
            ProjectOntoTangentSpace(at::randn({rows, columns}, at::kDouble), w);
        EXPECT_NEAR(((g - tangent) * other).sum().item<double>(), 0.0, 1e-11)
            << rows << "x" << columns;
      }
      // And it is normal: symmetric times W, so nothing but that is removed.
      const at::Tensor rest = g - tangent;
      const at::Tensor symmetric =
          wide ? at::mm(rest, w.t()) : at::mm(w.t(), rest);
      EXPECT_TRUE(TensorsNear(symmetric, symmetric.t(), 1e-12));
      EXPECT_TRUE(TensorsNear(
          rest, wide ? at::mm(symmetric, w) : at::mm(w, symmetric), 1e-12));
    }
  }
}

TEST(ProjectOntoTangentSpace, IsTheDerivativeOfTheRetraction) {
  for (const auto& [rows, columns] : kShapes) {
    at::manual_seed(rows + 7 * columns);
    const at::Tensor w = RandomOrthonormal(rows, columns);
    const at::Tensor g = RandomDirection(rows, columns);
    const double step = 1e-5;
    const at::Tensor difference =
        (Retract(w + step * g)->weight - Retract(w - step * g)->weight) /
        (2 * step);
    EXPECT_TRUE(TensorsNear(difference, ProjectOntoTangentSpace(g, w), 1e-8))
        << rows << "x" << columns;
  }
}

TEST(ProjectOntoTangentSpace, IsDifferentiable) {
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 4}, {4, 1}, {3, 3}, {2, 5}, {5, 2}}) {
    at::manual_seed(rows + columns);
    EXPECT_TRUE(GradientsAgree(
        [](const std::vector<at::Tensor>& in) {
          return ProjectOntoTangentSpace(in[0], in[1]);
        },
        {at::randn({rows, columns}, at::kDouble),
         RandomOrthonormal(rows, columns)}));
  }
}

}  // namespace
}  // namespace lipschitz
