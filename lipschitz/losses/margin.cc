#include "lipschitz/losses/margin.h"

#include <ATen/ATen.h>

#include <limits>

namespace lipschitz {
namespace {

void Check(const char* what, const at::Tensor& logits,
           const at::Tensor& targets) {
  TORCH_CHECK(
      logits.dim() == 2 && logits.size(1) >= 2, what,
      ": logits must be (batch, classes) with two classes or more, got ",
      logits.sizes());
  TORCH_CHECK(logits.size(0) > 0, what, ": the batch is empty");
  TORCH_CHECK(targets.dim() == 1 && targets.size(0) == logits.size(0), what,
              ": ", logits.size(0),
              " rows of logits need as many targets, got ", targets.sizes());
  TORCH_CHECK(targets.scalar_type() == at::kLong, what,
              ": targets must be int64 class indices, got ",
              targets.scalar_type());
}

// True at the target's column.
at::Tensor TargetMask(const at::Tensor& logits, const at::Tensor& targets) {
  return at::zeros_like(logits, logits.options().dtype(at::kBool))
      .scatter(1, targets.unsqueeze(1), true);
}

}  // namespace

at::Tensor LogitMargins(const at::Tensor& logits, const at::Tensor& targets) {
  Check("logit margins", logits, targets);
  const at::Tensor target = logits.gather(1, targets.unsqueeze(1)).squeeze(1);
  const at::Tensor others = logits.masked_fill(
      TargetMask(logits, targets), -std::numeric_limits<double>::infinity());
  // max over a dimension sends its gradient to one of the maxima, not a share
  // to each.
  return target - std::get<0>(others.max(1));
}

at::Tensor MultiMarginLoss(const at::Tensor& logits, const at::Tensor& targets,
                           double margin) {
  Check("multi-margin loss", logits, targets);
  const at::Tensor target = logits.gather(1, targets.unsqueeze(1));
  const at::Tensor violation = (margin - target + logits).clamp_min(0);
  return violation.masked_fill(TargetMask(logits, targets), 0).mean();
}

at::Tensor CarliniWagnerObjective(const at::Tensor& logits,
                                  const at::Tensor& targets, double kappa) {
  return -(LogitMargins(logits, targets) + kappa).clamp_min(0).mean();
}

}  // namespace lipschitz
