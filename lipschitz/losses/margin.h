// Margins of a classifier and the losses on them.
#pragma once

#include <ATen/core/Tensor.h>

namespace lipschitz {

// All take logits (batch, classes), batch ≥ 1, classes ≥ 2, and targets (batch)
// of integer class indices; anything else is a c10::Error.

// The logit of the target less the largest other logit, (batch). Not positive
// when the prediction is wrong or tied.
at::Tensor LogitMargins(const at::Tensor& logits, const at::Tensor& targets);

// mean over the batch of (1/classes) Σ_{j≠y} max(0, margin − f_y + f_j): the
// multi-class hinge loss of the paper's robustness experiments, divided by the
// number of classes.
at::Tensor MultiMarginLoss(const at::Tensor& logits, const at::Tensor& targets,
                           double margin);

// −mean max(0, m + kappa) over the logit margins m: what an attack ascends. Its
// gradient vanishes on examples that are wrong by kappa or more. Source: N.
// Carlini and D. Wagner, "Towards Evaluating the Robustness of Neural Networks"
// (2017), objective f₆.
at::Tensor CarliniWagnerObjective(const at::Tensor& logits,
                                  const at::Tensor& targets,
                                  double kappa = 50.0);

}  // namespace lipschitz
