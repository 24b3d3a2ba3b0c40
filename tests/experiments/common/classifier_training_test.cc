#include "experiments/common/classifier_training.h"

#include <torch/types.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "experiments/common/experiment.h"
#include "experiments/common/settings.h"
#include "gtest/gtest.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/data/image_dataset.h"
#include "lipschitz/layers/constraint.h"
#include "tests/testing/digits.h"
#include "tests/testing/status.h"
#include "tests/testing/subprocess.h"

namespace lipschitz::experiments {
namespace {

using ::lipschitz::testing::FailsWith;
using ::lipschitz::testing::NewFolder;
using ::lipschitz::testing::SyntheticDigits;

ImageDataset Digits() {
  ImageDataset data;
  data.name = "digits";
  data.train = SyntheticDigits(300, 1, 2);
  data.test = SyntheticDigits(100, 1, 3);
  data.class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  return data;
}

ClassifierRecipe Recipe() {
  ClassifierRecipe recipe;
  recipe.mlp().hidden = {16};
  recipe.mlp().activation = ActivationSpec::MaxMin();
  recipe.mlp().constraint.kind = ConstraintKind::kParseval;
  recipe.mlp().dropout = 0.5;
  recipe.epochs = 2;
  recipe.batch_size = 50;
  recipe.learning_rate = 1e-2;
  return recipe;
}

TrainedClassifier Train(const ClassifierRecipe& recipe,
                        const RunContext& context = {},
                        bool as_trained = false) {
  SetSeed(context.seed);
  ClassifierProbes probes;
  probes.as_trained = as_trained;
  auto trained =
      TrainClassifier(recipe, Norm::kL2, Digits(), AccuracyOf, context, probes);
  EXPECT_TRUE(trained.ok()) << trained.status();
  return *std::move(trained);
}

// A process that was killed between the last step and the record.
TEST(TrainClassifier, MeasuresTheNetworkAsTrainedAlsoWhereNoStepIsLeft) {
  RunContext context;
  context.checkpoint.path = NewFolder("training") + "/a.checkpoint";
  const TrainedClassifier first = Train(Recipe(), context, true);
  EXPECT_EQ(first.training.resumed_from, 0);
  ASSERT_TRUE(first.as_trained.has_value());
  // Parseval's weights are near orthonormal ones, not orthonormal.
  EXPECT_NEAR(first.as_trained->bound, 1.0, 0.5);
  EXPECT_GT(first.as_trained->test_accuracy, 0.5);
  const TrainedClassifier second = Train(Recipe(), context, true);
  EXPECT_EQ(second.training.resumed_from, 12);
  ASSERT_TRUE(second.as_trained.has_value());
  EXPECT_EQ(second.as_trained->bound, first.as_trained->bound);
  EXPECT_EQ(second.as_trained->test_accuracy, first.as_trained->test_accuracy);
  EXPECT_FALSE(Train(Recipe()).as_trained.has_value());
}

// The network before its first step, on the first batch: an epoch of one batch.
double FirstLoss(ClassifierRecipe recipe) {
  recipe.mlp().dropout = 0.0;
  recipe.epochs = 1;
  recipe.batch_size = 300;
  return Train(recipe).training.history.at(0).metrics.at("loss");
}

TEST(TrainClassifier, ThePenaltyComesOnTopOfTheLossThatWasAskedFor) {
  ClassifierRecipe recipe = Recipe();
  recipe.offset = 0.75;
  recipe.temperature = 4.0;
  const double plain = FirstLoss(recipe);
  recipe.jacobian_penalty = 1e-6;
  EXPECT_NEAR(FirstLoss(recipe), plain, 1e-3);
  recipe.jacobian_penalty = 1e3;
  EXPECT_GT(FirstLoss(recipe), plain + 0.1);
  // Offset and temperature matter.
  ClassifierRecipe other = recipe;
  other.jacobian_penalty = 1e-6;
  other.temperature = 1.0;
  EXPECT_GT(std::abs(FirstLoss(other) - plain), 0.1);
}

TEST(RecipeChanges, ReachTheLossThatHasThem) {
  RecipeChanges changes;
  changes.offset = 1.5;
  changes.temperature = 3.0;
  changes.margin = 0.25;
  ClassifierRecipe entropy;
  ClassifierRecipe hinge;
  hinge.loss = ClassifierLoss::kMargin;
  const ClassifierRecipe changed_entropy = changes.AppliedTo(entropy);
  EXPECT_EQ(changed_entropy.offset, 1.5);
  EXPECT_EQ(changed_entropy.temperature, 3.0);
  EXPECT_EQ(changed_entropy.margin, entropy.margin);
  const ClassifierRecipe changed_hinge = changes.AppliedTo(hinge);
  EXPECT_EQ(changed_hinge.offset, hinge.offset);
  EXPECT_EQ(changed_hinge.temperature, hinge.temperature);
  EXPECT_EQ(changed_hinge.margin, 0.25);

  EXPECT_TRUE(changes.ExpectUse({entropy, hinge}).ok());
  EXPECT_TRUE(FailsWith(changes.ExpectUse({entropy}),
                        absl::StatusCode::kInvalidArgument, {"--margin"}));
  EXPECT_TRUE(FailsWith(changes.ExpectUse({hinge}),
                        absl::StatusCode::kInvalidArgument,
                        {"--offset", "--temperature"}));
  EXPECT_TRUE(RecipeChanges().ExpectUse({hinge}).ok());
  EXPECT_TRUE(RecipeChanges().ExpectUse({}).ok());
}

}  // namespace
}  // namespace lipschitz::experiments
