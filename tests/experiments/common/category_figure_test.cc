#include "experiments/common/category_figure.h"

#include <string>
#include <vector>

#include "experiments/common/experiment.h"
#include "experiments/common/figure.h"
#include "experiments/common/record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lipschitz::experiments {
namespace {

using ::testing::ElementsAre;

Record Of(const std::string& constraint, const std::string& activation,
          uint64_t seed, double score) {
  Record record;
  record.variant = {{"constraint", constraint}, {"activation", activation}};
  record.seed = seed;
  record.metrics["score"] = score;
  return record;
}

TEST(DrawCategories, EveryVariantHasADotAtItsPlace) {
  const std::vector<Record> records = {
      Of("stiefel", "relu", 0, 0.5), Of("stiefel", "relu", 1, 0.7),
      Of("stiefel", "maxmin", 0, 0.9), Of("spectral", "maxmin", 0, 0.8)};
  CategoryPanel categories;
  categories.title = "scores";
  categories.metric = "score";
  categories.y = {"score", 0.0, 1.0};
  const Panel panel = DrawCategories(categories, GroupByVariant(records));
  EXPECT_EQ(panel.title, "scores");
  EXPECT_EQ(panel.y.label, "score");
  EXPECT_THAT(panel.x.names, ElementsAre("stiefel", "spectral"));
  EXPECT_THAT(panel.x.tics, ElementsAre(0.0, 1.0));
  EXPECT_EQ(panel.x.minimum, -0.5);
  EXPECT_EQ(panel.x.maximum, 1.5);
  // The deviation of the one variant with two seeds, then the dots.
  ASSERT_EQ(panel.series.size(), 3u);
  const Series& bar = panel.series[0];
  EXPECT_EQ(bar.label, "");
  EXPECT_EQ(bar.style, LineStyle::kLine);
  EXPECT_NEAR(bar.y[0] + bar.y[1], 1.2, 1e-12);
  EXPECT_NEAR(bar.y[1] - bar.y[0], 2 * 0.1414, 1e-3);
  const Series& relu = panel.series[1];
  EXPECT_EQ(relu.label, "relu");
  EXPECT_EQ(relu.colour, ActivationColour("relu"));
  EXPECT_THAT(relu.y, ElementsAre(0.6));
  EXPECT_EQ(bar.x[0], relu.x[0]);
  const Series& maxmin = panel.series[2];
  EXPECT_THAT(maxmin.y, ElementsAre(0.9, 0.8));
  // One place apart, and beside ReLU's.
  EXPECT_DOUBLE_EQ(maxmin.x[1] - maxmin.x[0], 1.0);
  EXPECT_LT(relu.x[0], maxmin.x[0]);
  EXPECT_LT(maxmin.x[0], 0.5);
}

TEST(DrawCategories, VariantsWithoutTheMetricAreLeftOut) {
  const std::vector<Record> records = {Of("stiefel", "relu", 0, 0.5)};
  CategoryPanel categories;
  categories.metric = "other";
  const Panel panel = DrawCategories(categories, GroupByVariant(records));
  EXPECT_TRUE(panel.series.empty());
  EXPECT_TRUE(panel.x.names.empty());
  EXPECT_LT(panel.x.minimum, panel.x.maximum);
}

}  // namespace
}  // namespace lipschitz::experiments
