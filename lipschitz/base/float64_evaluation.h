// Evaluating a module in float64.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <utility>
#include <vector>

namespace lipschitz {

// Puts a module into evaluation mode and its floating point parameters and
// buffers into float64, while this object lives; then everything is again what
// it was, bit by bit.
class Float64Evaluation {
 public:
  explicit Float64Evaluation(torch::nn::Module& module);
  ~Float64Evaluation();
  Float64Evaluation(const Float64Evaluation&) = delete;
  Float64Evaluation& operator=(const Float64Evaluation&) = delete;

 private:
  torch::nn::Module& module_;
  bool was_training_;
  // Every module below, outer ones first, and whether it was in training mode.
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, bool>> below_;
  // A parameter or buffer, and the data that it had.
  std::vector<std::pair<torch::Tensor, torch::Tensor>> data_;
};

}  // namespace lipschitz
