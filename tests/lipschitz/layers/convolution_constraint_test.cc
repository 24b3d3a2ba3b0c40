#include "lipschitz/layers/convolution_constraint.h"

#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/linalg/convolution.h"

namespace lipschitz {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ConvolutionGeometry Geometry(int64_t kernel, int64_t stride) {
  ConvolutionGeometry g;
  g.in_channels = 3;
  g.out_channels = 13;
  g.kernel_height = g.kernel_width = kernel;
  g.stride = stride;
  g.padding_mode = PaddingMode::kCircular;
  g.input_height = g.input_width = 6;
  return g;
}

std::string ErrorOf(const ConvolutionConstraintOptions& options,
                    const ConvolutionGeometry& g) {
  const absl::Status status = options.Validate(g);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeKernelConstraint(options, g).status(), status);
  return std::string(status.message());
}

TEST(ConvolutionConstraintTest, NamesAreParsed) {
  EXPECT_THAT(ConvolutionConstraintNames(),
              ElementsAre("none", "rko", "rko_linf", "spectral", "orthogonal",
                          "bcop", "separable"));
  for (const std::string& name : ConvolutionConstraintNames()) {
    EXPECT_EQ(ConvolutionConstraintName(*ParseConvolutionConstraint(name)),
              name);
  }
  const auto unknown = ParseConvolutionConstraint("soc");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.status().message()),
              AllOf(HasSubstr("'soc'"), HasSubstr("orthogonal, bcop")));
}

TEST(ConvolutionConstraintTest, EveryKindMakesAKernelOfTheShape) {
  for (const std::string& name : ConvolutionConstraintNames()) {
    ConvolutionConstraintOptions options;
    options.kind = *ParseConvolutionConstraint(name);
    const auto constraint = MakeKernelConstraint(options, Geometry(4, 2));
    ASSERT_TRUE(constraint.ok()) << constraint.status();
    const auto kernel = (*constraint)->Kernel();
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    EXPECT_THAT(kernel->sizes().vec(), ElementsAre(13, 3, 4, 4)) << name;
  }
}

TEST(ConvolutionConstraintTest, OptionsThatDoNotFitAreErrors) {
  ConvolutionConstraintOptions options;
  options.kind = ConvolutionConstraintKind::kSpectral;
  options.power_iterations = 0;
  EXPECT_THAT(ErrorOf(options, Geometry(3, 1)), HasSubstr("got 0"));
  options = {};
  options.kind = ConvolutionConstraintKind::kRko;
  options.flattened.kind = ConstraintKind::kSpectral;
  EXPECT_THAT(ErrorOf(options, Geometry(3, 1)), HasSubstr("not by spectral"));
  options.flattened.kind = ConstraintKind::kBjorck;
  options.flattened.bjorck.order = 7;
  EXPECT_THAT(ErrorOf(options, Geometry(3, 1)), HasSubstr("got 7"));
  options = {};
  options.polar.max_iterations = 0;
  EXPECT_THAT(ErrorOf(options, Geometry(3, 1)), HasSubstr("got 0"));
}

TEST(ConvolutionConstraintTest, SizesWithoutAnOrthogonalKernelAreErrors) {
  ConvolutionConstraintOptions options;
  EXPECT_THAT(ErrorOf(options, Geometry(1, 2)),
              HasSubstr("at most 3 output channels"));
  EXPECT_TRUE(options.Validate(Geometry(3, 2)).ok());
  options.kind = ConvolutionConstraintKind::kBcop;
  EXPECT_THAT(ErrorOf(options, Geometry(3, 2)),
              HasSubstr("multiples of the stride, 2, got 3×3"));
  EXPECT_TRUE(options.Validate(Geometry(4, 2)).ok());
}

}  // namespace
}  // namespace lipschitz
