// The classifiers whose gradients are compared.
#pragma once

#include <string>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/settings.h"
#include "lipschitz/base/norm.h"

namespace lipschitz::experiments {

struct InterpretedModel {
  // "standard", "dropout", "pgd", "linf" or "l2".
  std::string name;
  // In which its constant is stated.
  Norm norm = Norm::kL2;
  ClassifierRecipe recipe;
};

std::vector<InterpretedModel> InterpretedModels(Preset preset);

}  // namespace lipschitz::experiments
