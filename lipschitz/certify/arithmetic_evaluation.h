// A network in evaluation mode, in the arithmetic of a certificate.
#pragma once

#include <torch/types.h>

#include <memory>

#include "absl/status/statusor.h"
#include "lipschitz/base/evaluation_mode.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/layer.h"
#include "lipschitz/certify/arithmetic.h"

namespace lipschitz {

// While it lives, `network`.forward on tensors of `type()` is the classifier
// that a certificate of that arithmetic is about; then everything is again what
// it was.
class ArithmeticEvaluation {
 public:
  // kFloat32 of a network with a parameter or buffer of another floating point
  // type is a FailedPrecondition.
  static absl::StatusOr<std::unique_ptr<ArithmeticEvaluation>> Create(
      LayerImpl& network, Arithmetic arithmetic);

  torch::ScalarType type() const { return type_; }

 private:
  explicit ArithmeticEvaluation(torch::ScalarType type) : type_(type) {}

  torch::ScalarType type_;
  std::unique_ptr<EvaluationMode> float32_;
  std::unique_ptr<Float64Evaluation> float64_;
};

}  // namespace lipschitz
