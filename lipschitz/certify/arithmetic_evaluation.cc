#include "lipschitz/certify/arithmetic_evaluation.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

absl::Status CheckFloat32(const std::string& name,
                          const torch::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_floating_point() ||
      tensor.scalar_type() == torch::kFloat) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("a float32 certificate needs a float32 network, but ", name,
                   " is ", c10::toString(tensor.scalar_type())));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArithmeticEvaluation>>
ArithmeticEvaluation::Create(LayerImpl& network, Arithmetic arithmetic) {
  const bool narrow = arithmetic == Arithmetic::kFloat32;
  // Its constructor is private.
  std::unique_ptr<ArithmeticEvaluation> evaluation(
      new ArithmeticEvaluation(narrow ? torch::kFloat : torch::kDouble));
  if (!narrow) {
    evaluation->float64_ = std::make_unique<Float64Evaluation>(network);
    return evaluation;
  }
  for (const auto& item : network.named_parameters()) {
    LIPSCHITZ_RETURN_IF_ERROR(CheckFloat32(item.key(), item.value()));
  }
  for (const auto& item : network.named_buffers()) {
    LIPSCHITZ_RETURN_IF_ERROR(CheckFloat32(item.key(), item.value()));
  }
  evaluation->float32_ = std::make_unique<EvaluationMode>(network);
  return evaluation;
}

}  // namespace lipschitz
