#include "lipschitz/linalg/matrix_check.h"

#include <ATen/ATen.h>

#include <limits>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "tests/testing/status.h"

namespace lipschitz {
namespace {

using absl::StatusCode;
using lipschitz::testing::FailsWith;

TEST(ShapeString, ListsTheSizes) {
  EXPECT_EQ(ShapeString(at::zeros({3, 4})), "(3, 4)");
  EXPECT_EQ(ShapeString(at::zeros({0})), "(0)");
  EXPECT_EQ(ShapeString(at::zeros({})), "()");
}

TEST(CheckMatrix, AcceptsFloatingPointMatrices) {
  EXPECT_TRUE(CheckMatrix(at::zeros({1, 1}), "x").ok());
  EXPECT_TRUE(CheckMatrix(at::zeros({2, 3}, at::kDouble), "x").ok());
  EXPECT_TRUE(CheckMatrix(at::randn({2, 3}).requires_grad_(true), "x").ok());
  EXPECT_TRUE(CheckMatrix(at::randn({2, 3}).t(), "x").ok());
  const double largest = std::numeric_limits<double>::max();
  EXPECT_TRUE(CheckMatrix(at::full({2, 2}, largest, at::kDouble), "x").ok());
}

TEST(CheckMatrix, RefusesWhatIsNoMatrix) {
  EXPECT_TRUE(FailsWith(CheckMatrix(at::Tensor(), "layer 2"),
                        StatusCode::kInvalidArgument,
                        {"layer 2", "no tensor"}));
  EXPECT_TRUE(FailsWith(CheckMatrix(at::zeros({3}), "layer 2"),
                        StatusCode::kInvalidArgument, {"layer 2", "(3)"}));
  EXPECT_TRUE(FailsWith(CheckMatrix(at::zeros({2, 3, 4}), "layer 2"),
                        StatusCode::kInvalidArgument, {"(2, 3, 4)"}));
  EXPECT_TRUE(FailsWith(CheckMatrix(at::zeros({}), "layer 2"),
                        StatusCode::kInvalidArgument, {"()"}));
  EXPECT_TRUE(FailsWith(CheckMatrix(at::zeros({0, 5}), "layer 2"),
                        StatusCode::kInvalidArgument, {"(0, 5)"}));
}

TEST(CheckMatrix, RefusesOtherTypes) {
  EXPECT_TRUE(FailsWith(CheckMatrix(at::ones({2, 2}, at::kLong), "layer 2"),
                        StatusCode::kInvalidArgument, {"layer 2", "Long"}));
  EXPECT_TRUE(FailsWith(CheckMatrix(at::ones({2, 2}, at::kHalf), "layer 2"),
                        StatusCode::kInvalidArgument, {"Half"}));
}

TEST(CheckMatrix, CountsAndLocatesWhatIsNotFinite) {
  at::Tensor w = at::zeros({3, 4});
  w[1][2] = std::numeric_limits<float>::quiet_NaN();
  w[2][0] = -std::numeric_limits<float>::infinity();
  EXPECT_TRUE(FailsWith(CheckMatrix(w, "layer 2"), StatusCode::kInvalidArgument,
                        {"layer 2", "2 of 12", "(1, 2)"}));
}

TEST(CheckFinite, NamesEntriesThatAreNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
    at::Tensor w = at::zeros({3, 4});
    w[1][2] = bad;
    EXPECT_TRUE(FailsWith(CheckFinite(w, "layer 2"),
                          StatusCode::kInvalidArgument,
                          {"layer 2", "1 of 12", "(1, 2)"}));
  }
  // Two whose sum is no number.
  at::Tensor w = at::zeros({3, 4});
  w[0][3] = infinity;
  w[2][0] = -infinity;
  EXPECT_TRUE(FailsWith(CheckFinite(w, "layer 2"), StatusCode::kInvalidArgument,
                        {"2 of 12", "(0, 3)"}));
  EXPECT_TRUE(FailsWith(CheckFinite(at::Tensor(), "layer 2"),
                        StatusCode::kInvalidArgument,
                        {"layer 2", "no tensor"}));
}

TEST(CheckFinite, FiniteEntriesWithASumThatOverflowsAreFinite) {
  EXPECT_TRUE(CheckFinite(at::randn({3, 4}).requires_grad_(true), "x").ok());
  const float single = std::numeric_limits<float>::max();
  EXPECT_TRUE(CheckFinite(at::full({5, 5}, single), "x").ok());
  const double largest = std::numeric_limits<double>::max();
  EXPECT_TRUE(CheckFinite(at::full({5, 5}, largest, at::kDouble), "x").ok());
}

}  // namespace
}  // namespace lipschitz
