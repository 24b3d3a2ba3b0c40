#include "lipschitz/base/evaluation_mode.h"

namespace lipschitz {

EvaluationMode::EvaluationMode(torch::nn::Module& module)
    : module_(module), was_training_(module.is_training()) {
  for (const auto& part : module_.modules(/*include_self=*/false)) {
    below_.emplace_back(part, part->is_training());
  }
  module_.eval();
}

EvaluationMode::~EvaluationMode() {
  module_.train(was_training_);
  // Setting the mode of a module sets that of all below it.
  for (const auto& [part, was_training] : below_) part->train(was_training);
}

}  // namespace lipschitz
