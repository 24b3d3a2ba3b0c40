#include "experiments/small_data/models.h"

#include "absl/strings/str_cat.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/optimizer.h"

namespace lipschitz::experiments {
namespace {

constexpr double kDropout = 0.5;

bool IsFree(const std::string& constraint) {
  return constraint == "none" || constraint == "dropout";
}

// Of convolutions, and of the dense layers after them.
void Constrain(const std::string& constraint, ConvNetConfig* network) {
  using Kind = ConvolutionConstraintKind;
  if (IsFree(constraint)) {
    network->convolution.kind = Kind::kNone;
    network->dense.kind = ConstraintKind::kNone;
  } else if (constraint == "rko") {
    network->convolution.kind = Kind::kRko;
    network->dense.kind = ConstraintKind::kStiefel;
  } else if (constraint == "orthogonal") {
    network->convolution.kind = Kind::kOrthogonal;
    network->dense.kind = ConstraintKind::kStiefel;
  } else if (constraint == "spectral") {
    network->convolution.kind = Kind::kSpectral;
    network->dense.kind = ConstraintKind::kSpectral;
  } else {
    network->convolution.kind = Kind::kRkoLinf;
    network->dense.kind = ConstraintKind::kLinfRows;
  }
}

void Constrain(const std::string& constraint, MlpConfig* network) {
  if (IsFree(constraint)) {
    network->constraint.kind = ConstraintKind::kNone;
  } else if (constraint == "stiefel") {
    network->constraint.kind = ConstraintKind::kStiefel;
  } else if (constraint == "spectral") {
    network->constraint.kind = ConstraintKind::kSpectral;
  } else {
    network->constraint.kind = ConstraintKind::kLinfRows;
  }
}

// Chosen on validation images: README.md says how.
struct Tuning {
  double learning_rate = 0.0;
  double offset = 0.0;
  double temperature = 1.0;
  OptimizerKind optimizer = OptimizerKind::kAdam;
};

Tuning TuningOf(const std::string& network, const std::string& constraint) {
  const bool lenet = network == "lenet";
  if (lenet && constraint == "none") return {1e-2, 0.0, 1.0};
  if (lenet && constraint == "dropout") {
    return {0.02, 0.0, 1.0, OptimizerKind::kMuon};
  }
  if (IsFree(constraint)) return {3e-3, 0.0, 1.0};
  if (constraint == "linf") {
    return lenet ? Tuning{1e-2, 0.05, 100.0} : Tuning{1e-3, 0.05, 60.0};
  }
  return lenet ? Tuning{0.05, 0.5, 32.0, OptimizerKind::kMuon}
               : Tuning{0.05, 1.0, 8.0, OptimizerKind::kMuon};
}

template <typename Network>
SmallDataModel Model(const std::string& name, const std::string& constraint,
                     const ActivationSpec& activation, Network network) {
  SmallDataModel model;
  model.network = name;
  model.constraint = constraint;
  model.activation = activation.Name();
  model.name = absl::StrCat(name, "_", constraint, "_", activation.Name());
  Constrain(constraint, &network);
  network.activation = activation;
  if (constraint == "dropout") network.dropout = kDropout;
  model.recipe.network = network;
  model.recipe.batch_size = 32;
  const Tuning tuning = TuningOf(name, constraint);
  model.recipe.learning_rate = tuning.learning_rate;
  model.recipe.optimizer = tuning.optimizer;
  model.recipe.offset = tuning.offset;
  model.recipe.temperature = tuning.temperature;
  return model;
}

}  // namespace

std::vector<SmallDataModel> SmallDataModels(Preset preset) {
  MlpConfig mlp;
  switch (preset) {
    case Preset::kSmoke:
      mlp.hidden = {32};
      break;
    case Preset::kQuick:
      mlp.hidden = {256, 256, 256};
      break;
    case Preset::kPaper:
      mlp.hidden = {1024, 1024, 1024};
      break;
  }
  // The images' size follows from the data.
  const ConvNetConfig lenet = LeNet(0, 0, 0, 0);
  const ActivationSpec relu = ActivationSpec::Relu();
  const ActivationSpec maxmin = ActivationSpec::MaxMin();
  return {
      Model("lenet", "none", relu, lenet),
      Model("lenet", "none", maxmin, lenet),
      Model("lenet", "dropout", relu, lenet),
      Model("lenet", "rko", relu, lenet),
      Model("lenet", "rko", maxmin, lenet),
      // Divides 10, 20 and 50.
      Model("lenet", "rko", ActivationSpec::GroupSort(5), lenet),
      Model("lenet", "orthogonal", maxmin, lenet),
      Model("lenet", "spectral", maxmin, lenet),
      Model("lenet", "linf", maxmin, lenet),
      Model("mlp", "none", relu, mlp),
      Model("mlp", "dropout", relu, mlp),
      Model("mlp", "stiefel", relu, mlp),
      Model("mlp", "stiefel", maxmin, mlp),
      Model("mlp", "stiefel", ActivationSpec::GroupSort(4), mlp),
      Model("mlp", "spectral", maxmin, mlp),
      Model("mlp", "linf", maxmin, mlp),
  };
}

}  // namespace lipschitz::experiments
