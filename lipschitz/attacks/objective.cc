#include "lipschitz/attacks/objective.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/losses/margin.h"

namespace lipschitz {
namespace {

constexpr std::array<std::pair<AttackObjective, const char*>, 3> kNames = {{
    {AttackObjective::kCrossEntropy, "cross_entropy"},
    {AttackObjective::kMargin, "margin"},
    {AttackObjective::kDlr, "dlr"},
}};

// Examples at a time: what a network holds of so many fits the caches, and its
// memory is taken from the heap instead of from the system anew.
constexpr int64_t kRowsAtATime = 128;

ObjectivePoint EvaluateRows(const Classifier& classifier,
                            AttackObjective objective, const at::Tensor& x,
                            const at::Tensor& labels) {
  const at::Tensor leaf = x.detach().requires_grad_(true);
  const at::Tensor logits = classifier(leaf);
  const at::Tensor values = ObjectiveValues(objective, logits, labels);
  at::Tensor gradient;
  if (values.requires_grad()) {
    gradient = torch::autograd::grad({values.sum()}, {leaf}, {},
                                     /*retain_graph=*/false,
                                     /*create_graph=*/false,
                                     /*allow_unused=*/true)[0];
  }
  ObjectivePoint point;
  point.values = values.detach();
  point.margins = LogitMargins(logits.detach(), labels);
  point.gradient = gradient.defined()
                       ? at::nan_to_num(gradient.detach(), 0.0, 0.0, 0.0)
                       : at::zeros_like(x);
  return point;
}

}  // namespace

std::string ObjectiveName(AttackObjective objective) {
  for (const auto& [value, name] : kNames) {
    if (value == objective) return name;
  }
  return "unknown";
}

absl::StatusOr<AttackObjective> ParseObjective(const std::string& name) {
  for (const auto& [value, known] : kNames) {
    if (name == known) return value;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown attack objective '", name,
                   "'; known: cross_entropy, margin, dlr"));
}

at::Tensor ObjectiveValues(AttackObjective objective, const at::Tensor& logits,
                           const at::Tensor& labels) {
  switch (objective) {
    case AttackObjective::kCrossEntropy:
      return -logits.log_softmax(1).gather(1, labels.unsqueeze(1)).squeeze(1);
    case AttackObjective::kMargin:
      return -LogitMargins(logits, labels);
    case AttackObjective::kDlr: {
      TORCH_CHECK(logits.size(1) >= 3, "dlr needs three classes, got ",
                  logits.size(1));
      const at::Tensor top = std::get<0>(logits.topk(3, 1));
      return -LogitMargins(logits, labels) /
             (top.select(1, 0) - top.select(1, 2) + 1e-12);
    }
  }
  TORCH_CHECK(false, "attack objective of unknown kind");
}

ObjectivePoint EvaluateObjective(const Classifier& classifier,
                                 AttackObjective objective, const at::Tensor& x,
                                 const at::Tensor& labels) {
  const c10::AutoGradMode with_gradients(true);
  const std::vector<at::Tensor> inputs = x.split(kRowsAtATime);
  const std::vector<at::Tensor> targets = labels.split(kRowsAtATime);
  std::vector<at::Tensor> values;
  std::vector<at::Tensor> margins;
  std::vector<at::Tensor> gradients;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ObjectivePoint part =
        EvaluateRows(classifier, objective, inputs[i], targets[i]);
    values.push_back(std::move(part.values));
    margins.push_back(std::move(part.margins));
    gradients.push_back(std::move(part.gradient));
  }
  return {at::cat(values), at::cat(margins), at::cat(gradients)};
}

at::Tensor EvaluateLogits(const Classifier& classifier, const at::Tensor& x) {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> logits;
  for (const at::Tensor& rows : x.split(kRowsAtATime)) {
    logits.push_back(classifier(rows));
  }
  return at::cat(logits);
}

at::Tensor EvaluateMargins(const Classifier& classifier, const at::Tensor& x,
                           const at::Tensor& labels) {
  const c10::NoGradGuard no_grad;
  return LogitMargins(EvaluateLogits(classifier, x), labels);
}

}  // namespace lipschitz
