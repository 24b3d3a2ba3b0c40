#include "lipschitz/base/float64_evaluation.h"

namespace lipschitz {

Float64Evaluation::Float64Evaluation(torch::nn::Module& module)
    : module_(module), was_training_(module.is_training()) {
  for (const auto& part : module_.modules(/*include_self=*/false)) {
    below_.emplace_back(part, part->is_training());
  }
  std::vector<torch::Tensor> tensors = module_.parameters();
  for (const torch::Tensor& buffer : module_.buffers()) {
    tensors.push_back(buffer);
  }
  for (torch::Tensor& tensor : tensors) {
    if (!tensor.defined() || !tensor.is_floating_point()) continue;
    data_.emplace_back(tensor, tensor.data());
    tensor.set_data(tensor.data().to(torch::kDouble));
  }
  module_.eval();
}

Float64Evaluation::~Float64Evaluation() {
  for (auto& [tensor, data] : data_) tensor.set_data(data);
  module_.train(was_training_);
  // Setting the mode of a module sets that of all below it.
  for (const auto& [part, was_training] : below_) part->train(was_training);
}

}  // namespace lipschitz
