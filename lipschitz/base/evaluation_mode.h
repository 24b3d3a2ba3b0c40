// A module in evaluation mode for a while.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <utility>
#include <vector>

namespace lipschitz {

// Puts a module and all below it into evaluation mode while this object lives;
// then every one of them is again in the mode in which it was.
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module);
  ~EvaluationMode();
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
  // Every module below, outer ones first, and whether it was in training mode.
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> below_;
};

}  // namespace lipschitz
