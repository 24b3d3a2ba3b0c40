#include "experiments/mnist_robustness/models.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/optim/optimizer.h"

namespace lipschitz::experiments {
namespace {

struct Steps {
  OptimizerKind optimizer = OptimizerKind::kAdam;
  double learning_rate = 0.0;
};

// What a preset sets. Chosen on validation images: README.md says how.
struct Sizes {
  std::vector<int64_t> hidden;
  int64_t epochs = 0;
  int64_t batch_size = 256;
  // Of the models without a constraint.
  Steps free_steps = {OptimizerKind::kFastMuon, 0.02};
  // Of the one that is trained on attacked images.
  Steps attacked_steps = {OptimizerKind::kFastMuon, 0.05};
  // Of the l2 models with orthonormal weights.
  Steps steps = {OptimizerKind::kMuon, 0.05};
  // Singular values that may shrink do so with larger steps.
  double spectral_learning_rate = 0.01;
  // Of the model that is compared with the published FC-3.
  double anchor_offset = 2.2;
  double anchor_temperature = 8.0;
  Steps anchor_steps = {OptimizerKind::kMuon, 0.05};
  int64_t anchor_epochs = 0;
  // Of the model with the largest radii.
  Steps far_steps = {OptimizerKind::kMuon, 0.05};
  int64_t far_batch_size = 256;
  int64_t far_epochs = 0;

  // Of the convolutional models; without epochs there are none.
  double conv_offset = 1.9;
  double conv_temperature = 16.0;
  int64_t conv_epochs = 0;
  int64_t conv_batch_size = 128;

  // Deeper networks of rows in the L1 ball train worse.
  std::vector<int64_t> linf_hidden;
  int64_t linf_epochs = 0;
  int64_t linf_group = 16;
  double linf_offset = 0.2;
  int64_t linf_batch_size = 256;
  double linf_learning_rate = 3e-3;
};

Sizes SizesOf(Preset preset) {
  Sizes sizes;
  switch (preset) {
    case Preset::kSmoke:
      sizes.hidden = {32};
      sizes.linf_hidden = {32};
      sizes.epochs = 1;
      sizes.anchor_epochs = 1;
      sizes.far_epochs = 1;
      sizes.conv_epochs = 1;
      sizes.linf_epochs = 1;
      break;
    case Preset::kQuick:
      sizes.steps.optimizer = OptimizerKind::kFastMuon;
      sizes.anchor_steps.optimizer = OptimizerKind::kFastMuon;
      sizes.far_steps.optimizer = OptimizerKind::kFastMuon;
      sizes.hidden = {256, 256, 256};
      sizes.linf_hidden = {512};
      sizes.epochs = 2;
      sizes.anchor_epochs = 2;
      sizes.far_epochs = 2;
      sizes.linf_epochs = 3;
      break;
    case Preset::kPaper:
      sizes.hidden = {1024, 1024, 1024};
      sizes.linf_hidden = {2048};
      sizes.epochs = 5;
      sizes.batch_size = 512;
      sizes.attacked_steps = {OptimizerKind::kAdam, 1e-3};
      sizes.anchor_offset = 1.9;
      sizes.anchor_temperature = 16.0;
      sizes.anchor_steps.optimizer = OptimizerKind::kFastMuon;
      sizes.anchor_epochs = 20;
      sizes.far_steps = {OptimizerKind::kAdam, 1e-2};
      sizes.far_batch_size = 512;
      sizes.far_epochs = 15;
      sizes.conv_epochs = 12;
      sizes.linf_epochs = 15;
      sizes.linf_group = 32;
      sizes.linf_offset = 0.23;
      sizes.linf_batch_size = 128;
      sizes.linf_learning_rate = 5e-4;
      break;
  }
  return sizes;
}

RobustModel Model(const std::string& name, const Sizes& sizes,
                  ConstraintKind constraint, const ActivationSpec& activation) {
  RobustModel model;
  model.name = name;
  model.recipe.mlp().hidden = sizes.hidden;
  model.recipe.mlp().activation = activation;
  model.recipe.mlp().constraint.kind = constraint;
  model.recipe.epochs = sizes.epochs;
  model.recipe.batch_size = sizes.batch_size;
  return model;
}

// With the cross-entropy of offset logits.
RobustModel OffsetModel(const std::string& name, const Sizes& sizes,
                        ConstraintKind constraint,
                        const ActivationSpec& activation, double offset,
                        double temperature, const Steps& steps) {
  RobustModel model = Model(name, sizes, constraint, activation);
  model.recipe.offset = offset;
  model.recipe.temperature = temperature;
  model.recipe.optimizer = steps.optimizer;
  model.recipe.learning_rate = steps.learning_rate;
  return model;
}

// Without any constraint, against which the others are measured.
std::vector<RobustModel> FreeModels(const Sizes& sizes, Norm norm) {
  std::vector<RobustModel> models = {
      Model("none_relu", sizes, ConstraintKind::kNone, ActivationSpec::Relu()),
      Model("none_maxmin", sizes, ConstraintKind::kNone,
            ActivationSpec::MaxMin()),
      Model("none_relu_pgd", sizes, ConstraintKind::kNone,
            ActivationSpec::Relu())};
  for (RobustModel& model : models) {
    model.recipe.optimizer = sizes.free_steps.optimizer;
    model.recipe.learning_rate = sizes.free_steps.learning_rate;
    // As many as the models that they are compared with.
    if (norm == Norm::kLinf) model.recipe.epochs = sizes.linf_epochs;
  }
  ClassifierRecipe& attacked = models.back().recipe;
  attacked.optimizer = sizes.attacked_steps.optimizer;
  attacked.learning_rate = sizes.attacked_steps.learning_rate;
  attacked.adversarial.norm = norm;
  attacked.adversarial.epsilon = norm == Norm::kL2 ? 1.58 : 0.1;
  return models;
}

// Convolutions and dense layers that preserve gradient norms.
RobustModel ConvModel(const std::string& name, ConvNetConfig network,
                      const Sizes& sizes) {
  network.activation = ActivationSpec::MaxMin();
  network.convolution.kind = ConvolutionConstraintKind::kOrthogonal;
  network.dense.kind = ConstraintKind::kStiefel;
  RobustModel model;
  model.name = name;
  model.recipe.network = network;
  model.recipe.offset = sizes.conv_offset;
  model.recipe.temperature = sizes.conv_temperature;
  model.recipe.optimizer = sizes.steps.optimizer;
  model.recipe.learning_rate = sizes.steps.learning_rate;
  model.recipe.epochs = sizes.conv_epochs;
  model.recipe.batch_size = sizes.conv_batch_size;
  return model;
}

// "Small" and "Large" of the paper that published orthogonal convolutions; the
// images' size follows from the data.
std::vector<RobustModel> ConvModels(const Sizes& sizes) {
  return {ConvModel("conv_small_maxmin", SmallConvNet(0, 0, 0, 0), sizes),
          ConvModel("conv_large_maxmin", LargeConvNet(0, 0, 0, 0), sizes)};
}

std::vector<RobustModel> L2Models(const Sizes& sizes) {
  const auto make = [&](const std::string& name, ConstraintKind constraint,
                        const ActivationSpec& activation) {
    return OffsetModel(name, sizes, constraint, activation, /*offset=*/2.2,
                       /*temperature=*/8.0, sizes.steps);
  };
  const auto stiefel = ConstraintKind::kStiefel;
  const ActivationSpec maxmin = ActivationSpec::MaxMin();

  RobustModel anchor =
      OffsetModel("stiefel_maxmin", sizes, stiefel, maxmin, sizes.anchor_offset,
                  sizes.anchor_temperature, sizes.anchor_steps);
  anchor.recipe.epochs = sizes.anchor_epochs;
  // More of the radius for some of the clean accuracy.
  RobustModel far =
      OffsetModel("stiefel_maxmin_far", sizes, stiefel, maxmin,
                  /*offset=*/3.0, /*temperature=*/4.0, sizes.far_steps);
  far.recipe.batch_size = sizes.far_batch_size;
  far.recipe.epochs = sizes.far_epochs;
  // The published recipe's loss: the hinge with the margin 1.5 √2.
  RobustModel hinge = make("stiefel_maxmin_hinge", stiefel, maxmin);
  hinge.recipe.loss = ClassifierLoss::kMargin;
  hinge.recipe.margin = 1.5 * std::sqrt(2.0);
  hinge.recipe.offset = 0.0;
  hinge.recipe.temperature = 1.0;
  RobustModel spectral =
      make("spectral_maxmin", ConstraintKind::kSpectral, maxmin);
  spectral.recipe.learning_rate = sizes.spectral_learning_rate;
  std::vector<RobustModel> models = {
      anchor,
      make("stiefel_groupsort4", stiefel, ActivationSpec::GroupSort(4)),
      make("stiefel_relu", stiefel, ActivationSpec::Relu()),
      spectral,
      make("parseval_maxmin", ConstraintKind::kParseval, maxmin),
      far,
      hinge};
  if (sizes.conv_epochs > 0) {
    for (RobustModel& model : ConvModels(sizes)) {
      models.push_back(std::move(model));
    }
  }
  return models;
}

std::vector<RobustModel> LinfModels(const Sizes& sizes) {
  const auto make = [&](const std::string& name, ConstraintKind constraint,
                        const ActivationSpec& activation) {
    RobustModel model =
        OffsetModel(absl::StrCat(name, activation.Name()), sizes, constraint,
                    activation, sizes.linf_offset, /*temperature=*/20.0,
                    {OptimizerKind::kAdam, sizes.linf_learning_rate});
    model.recipe.epochs = sizes.linf_epochs;
    model.recipe.mlp().hidden = sizes.linf_hidden;
    model.recipe.batch_size = sizes.linf_batch_size;
    return model;
  };
  const auto rows = ConstraintKind::kLinfRows;
  const ActivationSpec best = ActivationSpec::GroupSort(sizes.linf_group);
  return {make("linf_rows_", rows, best),
          make("linf_rows_", rows, ActivationSpec::GroupSort(4)),
          make("linf_rows_", rows, ActivationSpec::MaxMin()),
          make("linf_rows_", rows, ActivationSpec::Relu()),
          make("linf_", ConstraintKind::kLinfProjection, best)};
}

}  // namespace

std::vector<RobustModel> RobustModels(Preset preset, Norm norm) {
  const Sizes sizes = SizesOf(preset);
  std::vector<RobustModel> models =
      norm == Norm::kL2 ? L2Models(sizes) : LinfModels(sizes);
  for (RobustModel& model : FreeModels(sizes, norm)) {
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace lipschitz::experiments
