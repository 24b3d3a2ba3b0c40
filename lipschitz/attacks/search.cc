#include "lipschitz/attacks/search.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/attacks/objective.h"
#include "lipschitz/base/status.h"

namespace lipschitz {
namespace {

// Not a number is no positive margin.
at::Tensor Broken(const at::Tensor& margins) {
  return (margins > 0).logical_not();
}

}  // namespace

Search::Search(const Classifier& classifier, const at::Tensor& x,
               const at::Tensor& labels, const ThreatModel& threat)
    : classifier_(classifier),
      set_(x, threat),
      labels_(labels),
      best_(x.detach().clone()),
      best_margins_(
          EvaluateMargins(classifier, x.detach(), labels).to(at::kDouble)) {}

bool Search::Start() {
  active_ = Broken(best_margins_).logical_not().nonzero().squeeze(1);
  if (active_.numel() == 0) return false;
  active_set_ =
      active_.numel() == labels_.numel() ? set_ : set_.Select(active_);
  active_labels_ = labels_.index_select(0, active_);
  return true;
}

void Search::Record(const at::Tensor& points, const at::Tensor& margins) {
  const at::Tensor known = best_margins_.index_select(0, active_);
  const at::Tensor found = margins.to(at::kDouble);
  // A point that is not a number is as good as it gets.
  const at::Tensor rows = (found >= known)
                              .logical_or(at::isnan(known))
                              .logical_not()
                              .nonzero()
                              .squeeze(1);
  if (rows.numel() == 0) return;
  const at::Tensor examples = active_.index_select(0, rows);
  best_margins_.index_copy_(0, examples, found.index_select(0, rows));
  best_.index_copy_(0, examples, points.index_select(0, rows));
}

std::optional<at::Tensor> Search::DropBroken() {
  const at::Tensor rows = Broken(best_margins_.index_select(0, active_))
                              .logical_not()
                              .nonzero()
                              .squeeze(1);
  // Copying what stays costs less than a tenth of a step.
  if (10 * rows.numel() > 9 * active_.numel()) return std::nullopt;
  active_ = active_.index_select(0, rows);
  active_set_ = active_set_->Select(rows);
  active_labels_ = active_labels_.index_select(0, rows);
  return rows;
}

AttackResult Search::Result() const {
  return {best_, best_margins_, Broken(best_margins_)};
}

absl::StatusOr<AttackResult> AttackInBatches(
    const Classifier& classifier, const at::Tensor& x, const at::Tensor& labels,
    const ThreatModel& threat, int64_t batch_size,
    const std::function<void(Search&)>& attack) {
  if (batch_size < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "attack: batch_size must be at least 1, got ", batch_size));
  }
  LIPSCHITZ_RETURN_IF_ERROR(CheckAttack(x, labels, threat));
  return CatchTorch("attack", [&]() -> AttackResult {
    std::vector<at::Tensor> points;
    std::vector<at::Tensor> margins;
    std::vector<at::Tensor> broken;
    for (int64_t i = 0; i < x.size(0); i += batch_size) {
      const int64_t end = std::min(x.size(0), i + batch_size);
      ThreatModel part = threat;
      if (part.epsilon.dim() == 1) part.epsilon = part.epsilon.slice(0, i, end);
      Search search(classifier, x.slice(0, i, end), labels.slice(0, i, end),
                    part);
      attack(search);
      AttackResult result = search.Result();
      points.push_back(result.adversarial);
      margins.push_back(result.margin);
      broken.push_back(result.success);
    }
    return {at::cat(points), at::cat(margins), at::cat(broken)};
  });
}

}  // namespace lipschitz
