// The classifiers that mnist_robustness compares.
#pragma once

#include <string>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/settings.h"
#include "lipschitz/base/norm.h"

namespace lipschitz::experiments {

// A network and how it is trained.
struct RobustModel {
  // Short, for file names and --model.
  std::string name;
  ClassifierRecipe recipe;
};

// The models of a preset, for one norm.
std::vector<RobustModel> RobustModels(Preset preset, Norm norm);

}  // namespace lipschitz::experiments
