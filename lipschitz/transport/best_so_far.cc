#include "lipschitz/transport/best_so_far.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace lipschitz {

BestSoFar::BestSoFar(std::shared_ptr<LayerImpl> network)
    : LayerImpl("best_so_far"), network_(std::move(network)) {
  register_module("network", network_);
  std::vector<torch::Tensor> tensors = network_->parameters();
  for (const torch::Tensor& buffer : network_->buffers()) {
    tensors.push_back(buffer);
  }
  for (const torch::Tensor& tensor : tensors) {
    const torch::Tensor copy = register_buffer(
        absl::StrCat("best", copies_.size()), tensor.detach().clone());
    copies_.emplace_back(tensor, copy);
  }
  best_score_ = register_buffer(
      "best_score", torch::full({}, -std::numeric_limits<double>::infinity(),
                                torch::kDouble));
  counts_ = register_buffer("counts", torch::zeros({2}, torch::kLong));
}

void BestSoFar::Score(double score, int64_t step) {
  torch::NoGradGuard no_grad;
  if (!(score > best_score_.item<double>())) {
    counts_[1] += 1;
    return;
  }
  best_score_.fill_(score);
  counts_[0] = step;
  counts_[1] = 0;
  for (auto& [tensor, copy] : copies_) copy.copy_(tensor);
}

void BestSoFar::Restore() {
  torch::NoGradGuard no_grad;
  if (best_step() == 0) return;
  for (auto& [tensor, copy] : copies_) tensor.copy_(copy);
}

int64_t BestSoFar::best_step() const { return counts_[0].item<int64_t>(); }

int64_t BestSoFar::scores_since_best() const {
  return counts_[1].item<int64_t>();
}

}  // namespace lipschitz
