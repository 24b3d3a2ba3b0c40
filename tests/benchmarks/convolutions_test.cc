#include "benchmarks/convolutions.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "benchmarks/results.h"
#include "experiments/common/figure.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz::benchmarks {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;

TEST(Convolutions, TheTablesShowWhatWasMeasured) {
  Results results;
  results.measurements[ConvolutionStep("none")].milliseconds = {10, 20};
  results.measurements[ConvolutionStep("orthogonal")].milliseconds = {11, 24};
  Measurement& gradient =
      results.measurements["convolution_step:gradient/orthogonal"];
  gradient.milliseconds = {1};
  gradient.counters["gradient_norm_10"] = 0.75;
  results.measurements["convolution_step:bound/orthogonal"].milliseconds = {33};
  Measurement& fit =
      results.measurements["convolution_step:fit/bcop/kernel:5/rate:0.01"];
  fit.milliseconds = {1};
  fit.counters = {{"loss", 0.25}, {"sigma_error", 2e-7}};
  const std::string text = ConvolutionSection(results);
  // Ratios within the rounds: 1.1 and 1.2.
  EXPECT_THAT(text, ContainsRegex("\\| orthogonal +\\| 17\\.5 +\\| 1\\.15 +\\| "
                                  "– .*0\\.750000 +\\| 33\\.0 "));
  EXPECT_THAT(text, ContainsRegex("\\| bcop +\\| 5×5 +\\| – +\\| 0\\.250 +\\| "
                                  "– +\\| 2e-07 "));
}

TEST(Convolutions, TheFigureFollowsTheDepth) {
  Results results;
  Measurement& gradient =
      results.measurements["convolution_step:gradient/bcop"];
  gradient.milliseconds = {1};
  for (int depth = 1; depth <= 10; ++depth) {
    gradient.counters[absl::StrCat("gradient_norm_", depth)] = 1.0 / depth;
  }
  const experiments::Figure figure = MakeGradientFigure(results);
  ASSERT_EQ(figure.panels.size(), 1u);
  for (const experiments::Series& series : figure.panels[0].series) {
    if (series.label != "bcop") {
      EXPECT_TRUE(series.x.empty()) << series.label;
      continue;
    }
    EXPECT_THAT(series.x, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    EXPECT_DOUBLE_EQ(series.y[3], 0.25);
  }
}

}  // namespace
}  // namespace lipschitz::benchmarks
