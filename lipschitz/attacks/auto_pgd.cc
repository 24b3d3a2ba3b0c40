#include "lipschitz/attacks/auto_pgd.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lipschitz/attacks/search.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"

namespace lipschitz {
namespace {

// α and ρ of the paper.
constexpr double kMomentum = 0.75;
constexpr double kEnoughIncreases = 0.75;

at::Tensor PerExample(const at::Tensor& values, const at::Tensor& x) {
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = values.size(0);
  return values.reshape(shape);
}

// The state of one start, a row for each active example.
struct Ascent {
  at::Tensor point;
  at::Tensor previous;
  at::Tensor gradient;
  at::Tensor value;
  at::Tensor best_point;
  at::Tensor best_gradient;
  at::Tensor best_value;
  at::Tensor step;       // (n, 1, ...)
  at::Tensor increases;  // (n): steps since the checkpoint that went up
  // At the last checkpoint.
  at::Tensor checked_best;    // (n)
  at::Tensor checked_halved;  // (n) bool

  void Select(const at::Tensor& rows) {
    for (at::Tensor* tensor :
         {&point, &previous, &gradient, &value, &best_point, &best_gradient,
          &best_value, &step, &increases, &checked_best, &checked_halved}) {
      *tensor = tensor->index_select(0, rows);
    }
  }

  // A new point, with what was found there.
  void Move(const at::Tensor& next, const ObjectivePoint& found) {
    previous = point;
    point = next;
    gradient = found.gradient;
    increases = increases + (found.values > value);
    value = found.values;
    const at::Tensor better = value > best_value;
    best_value = at::where(better, value, best_value);
    const at::Tensor wide = PerExample(better, point);
    best_point = at::where(wide, point, best_point);
    best_gradient = at::where(wide, gradient, best_gradient);
  }

  // Halves the steps of examples that went up too rarely, or that got nowhere
  // at the same step size, and sends them back to their best points.
  void Check(int64_t interval) {
    const at::Tensor rarely =
        increases < kEnoughIncreases * static_cast<double>(interval);
    const at::Tensor stuck =
        checked_halved.logical_not().logical_and(checked_best >= best_value);
    const at::Tensor halve = rarely.logical_or(stuck);
    checked_halved = halve;
    checked_best = best_value;
    increases = at::zeros_like(increases);
    const at::Tensor wide = PerExample(halve, point);
    step = at::where(PerExample(halve, step), step / 2, step);
    // The momentum starts anew there.
    previous = at::where(wide, best_point, previous);
    point = at::where(wide, best_point, point);
    gradient = at::where(wide, best_gradient, gradient);
    value = at::where(halve, best_value, value);
  }
};

void Ascend(const AutoPgdOptions& options,
            const std::vector<int64_t>& checkpoints, const RandomSource& random,
            Search& search) {
  const auto evaluate = [&](const at::Tensor& point) {
    ObjectivePoint found = EvaluateObjective(
        search.classifier(), options.objective, point, search.labels());
    search.Record(point, found.margins);
    return found;
  };
  Ascent ascent;
  ascent.point = search.set().RandomPoint(random);
  const ObjectivePoint start = evaluate(ascent.point);
  ascent.previous = ascent.point;
  ascent.gradient = start.gradient;
  ascent.value = start.values;
  ascent.best_point = ascent.point;
  ascent.best_gradient = start.gradient;
  ascent.best_value = start.values;
  ascent.step = 2 * search.set().reach();
  ascent.increases = at::zeros_like(start.values);
  ascent.checked_best = start.values;
  // So that the first checkpoint has no second condition.
  ascent.checked_halved = at::ones_like(start.values, at::kBool);
  size_t next_checkpoint = 0;
  for (int64_t k = 0; k < options.steps; ++k) {
    if (const std::optional<at::Tensor> rows = search.DropBroken()) {
      if (rows->numel() == 0) return;
      ascent.Select(*rows);
    }
    const FeasibleSet& set = search.set();
    const at::Tensor stepped = set.Project(
        ascent.point + ascent.step * set.Direction(ascent.gradient, random));
    const at::Tensor next =
        k == 0
            ? stepped
            : set.Project(ascent.point + kMomentum * (stepped - ascent.point) +
                          (1 - kMomentum) * (ascent.point - ascent.previous));
    ascent.Move(next, evaluate(next));
    if (next_checkpoint < checkpoints.size() &&
        k + 1 == checkpoints[next_checkpoint]) {
      const int64_t before =
          next_checkpoint == 0 ? 0 : checkpoints[next_checkpoint - 1];
      ascent.Check(k + 1 - before);
      ++next_checkpoint;
    }
  }
}

}  // namespace

std::vector<int64_t> AutoPgdCheckpoints(int64_t steps) {
  std::vector<int64_t> checkpoints;
  double before = 0.0;
  double now = 0.22;
  while (now <= 1.0) {
    const auto step =
        static_cast<int64_t>(std::ceil(now * static_cast<double>(steps)));
    // Of few steps several fractions are the same one.
    if (checkpoints.empty() || step > checkpoints.back()) {
      checkpoints.push_back(step);
    }
    const double next = now + std::max(now - before - 0.03, 0.06);
    before = now;
    now = next;
  }
  return checkpoints;
}

absl::Status AutoPgdOptions::Validate() const {
  if (steps < 1 || restarts < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("Auto-PGD: steps and restarts must be at least 1, got ",
                     steps, " and ", restarts));
  }
  return absl::OkStatus();
}

absl::StatusOr<AttackResult> AutoPgd(const Classifier& classifier,
                                     const at::Tensor& x,
                                     const at::Tensor& labels,
                                     const ThreatModel& threat,
                                     const AutoPgdOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  const RandomSource random(options.seed);
  const std::vector<int64_t> checkpoints = AutoPgdCheckpoints(options.steps);
  return AttackInBatches(
      classifier, x, labels, threat, options.batch_size, [&](Search& search) {
        for (int64_t i = 0; i < options.restarts && search.Start(); ++i) {
          Ascend(options, checkpoints, random, search);
        }
      });
}

}  // namespace lipschitz
