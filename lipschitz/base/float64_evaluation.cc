#include "lipschitz/base/float64_evaluation.h"

namespace lipschitz {

Float64Evaluation::Float64Evaluation(torch::nn::Module& module)
    : mode_(module) {
  std::vector<torch::Tensor> tensors = module.parameters();
  for (const torch::Tensor& buffer : module.buffers()) {
    tensors.push_back(buffer);
  }
  for (torch::Tensor& tensor : tensors) {
    if (!tensor.defined() || !tensor.is_floating_point()) continue;
    data_.emplace_back(tensor, tensor.data());
    tensor.set_data(tensor.data().to(torch::kDouble));
  }
}

Float64Evaluation::~Float64Evaluation() {
  // Backwards, because a tensor that two layers share is there twice, the
  // second time with its float64 data.
  for (auto item = data_.rbegin(); item != data_.rend(); ++item) {
    item->first.set_data(item->second);
  }
}

}  // namespace lipschitz
