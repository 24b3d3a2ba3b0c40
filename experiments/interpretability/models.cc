#include "experiments/interpretability/models.h"

#include <cstdint>

#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz::experiments {
namespace {

struct Sizes {
  std::vector<int64_t> hidden;
  // Deeper networks of rows in the L1 ball train worse.
  std::vector<int64_t> linf_hidden;
  int64_t linf_group = 16;
  int64_t epochs = 0;
};

Sizes SizesOf(Preset preset) {
  switch (preset) {
    case Preset::kSmoke:
      return {{32}, {32}, 8, 4};
    case Preset::kQuick:
      return {{128, 128}, {256}, 16, 8};
    case Preset::kPaper:
      break;
  }
  return {{1024, 1024}, {2048}, 32, 20};
}

InterpretedModel Model(const std::string& name, Norm norm, const Sizes& sizes,
                       ConstraintKind constraint,
                       const ActivationSpec& activation) {
  InterpretedModel model;
  model.name = name;
  model.norm = norm;
  MlpConfig& network = model.recipe.mlp();
  network.hidden = sizes.hidden;
  network.activation = activation;
  network.constraint.kind = constraint;
  model.recipe.epochs = sizes.epochs;
  model.recipe.learning_rate = 1e-3;
  return model;
}

}  // namespace

std::vector<InterpretedModel> InterpretedModels(Preset preset) {
  const Sizes sizes = SizesOf(preset);
  const ActivationSpec relu = ActivationSpec::Relu();
  InterpretedModel standard =
      Model("standard", Norm::kL2, sizes, ConstraintKind::kNone, relu);
  standard.recipe.learning_rate = 3e-3;
  InterpretedModel dropout = standard;
  dropout.name = "dropout";
  dropout.recipe.mlp().dropout = 0.5;
  InterpretedModel pgd = standard;
  pgd.name = "pgd";
  pgd.norm = Norm::kLinf;
  pgd.recipe.adversarial.norm = Norm::kLinf;
  pgd.recipe.adversarial.epsilon = 0.1;
  InterpretedModel linf =
      Model("linf", Norm::kLinf, sizes, ConstraintKind::kLinfRows,
            ActivationSpec::GroupSort(sizes.linf_group));
  linf.recipe.mlp().hidden = sizes.linf_hidden;
  // As those of mnist_robustness.
  linf.recipe.offset = 0.2;
  linf.recipe.temperature = 20.0;
  InterpretedModel l2 = Model("l2", Norm::kL2, sizes, ConstraintKind::kStiefel,
                              ActivationSpec::MaxMin());
  l2.recipe.offset = 2.2;
  l2.recipe.temperature = 8.0;
  return {standard, dropout, pgd, linf, l2};
}

}  // namespace lipschitz::experiments
