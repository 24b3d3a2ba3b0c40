// The classifiers that small_data compares.
#pragma once

#include <string>
#include <vector>

#include "experiments/common/classifier_training.h"
#include "experiments/common/settings.h"

namespace lipschitz::experiments {

struct SmallDataModel {
  // NETWORK_CONSTRAINT_ACTIVATION, for file names and flags.
  std::string name;
  std::string network;     // "lenet" or "mlp"
  std::string constraint;  // "none", "dropout", "rko", "stiefel", ...
  std::string activation;
  // The number of epochs is left to the number of images.
  ClassifierRecipe recipe;
};

std::vector<SmallDataModel> SmallDataModels(Preset preset);

}  // namespace lipschitz::experiments
