#include "experiments/function_fitting/target.h"

#include <ATen/ATen.h>

#include <string>

#include "absl/status/status.h"
#include "experiments/function_fitting/grid.h"
#include "gtest/gtest.h"
#include "lipschitz/base/norm.h"

namespace lipschitz::experiments {
namespace {

Grid GridOf(const Target& target) {
  return {target.box, target.box.dim == 1 ? 4999 : 301};
}

double SteepestSlope(const Target& target) {
  const Grid grid = GridOf(target);
  const at::Tensor y = target.value(grid.Points());
  return MeasureFit(y, at::zeros_like(y), grid, target.norm, 1.0)
      .steepest_slope;
}

TEST(Target, EveryFunctionIs1LipschitzInItsNormAndNotLess) {
  for (const std::string name :
       {"triangle1", "triangle2", "triangle16", "sine", "distance_l2",
        "distance_linf", "peak_l2", "peak_linf"}) {
    const auto target = MakeTarget(name, 0);
    ASSERT_TRUE(target.ok()) << target.status();
    const double slope = SteepestSlope(*target);
    EXPECT_LE(slope, 1.0 + 1e-9) << name;
    EXPECT_GE(slope, 0.99) << name;
  }
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_LE(SteepestSlope(*MakeTarget("random8", seed)), 1.0 + 1e-9) << seed;
  }
}

TEST(Target, OnTheSquareTheNormMatters) {
  for (const std::string name : {"distance_", "peak_"}) {
    const auto l2 = MakeTarget(name + "l2", 0);
    const auto linf = MakeTarget(name + "linf", 0);
    ASSERT_TRUE(l2.ok() && linf.ok());
    EXPECT_EQ(l2->norm, Norm::kL2);
    EXPECT_EQ(linf->norm, Norm::kLinf);
    // The l2 cone is steeper than 1 along a diagonal when that is measured as
    // shorter.
    Target other = *l2;
    other.norm = Norm::kLinf;
    EXPECT_GT(SteepestSlope(other), 1.3) << name;
  }
}

TEST(Target, ThePeakStandsOutAndThePitsAreThere) {
  const at::Tensor x =
      at::tensor({-0.7, 0.7, -0.5, -0.5, 0.5, -0.25}, at::kDouble)
          .reshape({3, 2});
  for (const std::string norm : {"l2", "linf"}) {
    const at::Tensor peak = MakeTarget("peak_" + norm, 0)->value(x);
    EXPECT_DOUBLE_EQ(peak[0].item<double>(), 0.9) << norm;
    EXPECT_DOUBLE_EQ(peak[1].item<double>(), 0.0) << norm;
    EXPECT_DOUBLE_EQ(peak[2].item<double>(), 0.0) << norm;
    const at::Tensor distance = MakeTarget("distance_" + norm, 0)->value(x);
    EXPECT_LT(distance[0].item<double>(), 0.8) << norm;
    EXPECT_DOUBLE_EQ(distance[1].item<double>(), 0.0) << norm;
  }
}

TEST(Target, RandomFunctionsFollowTheSeedAndOthersDoNot) {
  const at::Tensor x = GridOf(*MakeTarget("sine", 0)).Points();
  EXPECT_TRUE(at::equal(MakeTarget("random8", 3)->value(x),
                        MakeTarget("random8", 3)->value(x)));
  EXPECT_FALSE(at::equal(MakeTarget("random8", 3)->value(x),
                         MakeTarget("random8", 4)->value(x)));
  EXPECT_TRUE(at::equal(MakeTarget("triangle8", 3)->value(x),
                        MakeTarget("triangle8", 4)->value(x)));
}

TEST(Target, UnknownNamesAreErrorsThatListTheKnown) {
  for (const std::string name :
       {"cosine", "triangle", "triangle0", "triangle-2", "random1.5",
        "triangle1001", "peak_l1", "", "sine2"}) {
    const auto target = MakeTarget(name, 0);
    EXPECT_EQ(target.status().code(), absl::StatusCode::kInvalidArgument)
        << name;
    const std::string message(target.status().message());
    EXPECT_NE(message.find("'" + name + "'"), std::string::npos) << message;
    EXPECT_NE(message.find("distance_linf"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace lipschitz::experiments
