// Evaluating a module in float64.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <utility>
#include <vector>

#include "lipschitz/base/evaluation_mode.h"

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
  EvaluationMode mode_;
  // A parameter or buffer, and the data that it had.
  std::vector<std::pair<torch::Tensor, torch::Tensor>> data_;
};

}  // namespace lipschitz
