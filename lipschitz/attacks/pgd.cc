#include "lipschitz/attacks/pgd.h"

#include <ATen/ATen.h>

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "lipschitz/attacks/search.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"

namespace lipschitz {
namespace {

// From one start.
void Ascend(const PgdOptions& options, const RandomSource& random,
            Search& search) {
  at::Tensor point = options.random_start ? search.set().RandomPoint(random)
                                          : search.set().x();
  for (int64_t step = 0; step < options.steps; ++step) {
    const ObjectivePoint here = EvaluateObjective(
        search.classifier(), options.objective, point, search.labels());
    search.Record(point, here.margins);
    at::Tensor gradient = here.gradient;
    if (const std::optional<at::Tensor> rows = search.DropBroken()) {
      if (rows->numel() == 0) return;
      point = point.index_select(0, *rows);
      gradient = gradient.index_select(0, *rows);
    }
    const FeasibleSet& set = search.set();
    point = set.Project(point + set.reach() * set.Direction(gradient, random) *
                                    options.step_fraction);
  }
  search.Record(point,
                EvaluateMargins(search.classifier(), point, search.labels()));
}

}  // namespace

absl::Status PgdOptions::Validate() const {
  if (steps < 0 || restarts < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "PGD: steps must not be negative and restarts at least 1, got ", steps,
        " and ", restarts));
  }
  if (!(step_fraction > 0.0) || !std::isfinite(step_fraction)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "PGD: step_fraction must be positive, got ", step_fraction));
  }
  return absl::OkStatus();
}

absl::StatusOr<AttackResult> Pgd(const Classifier& classifier,
                                 const at::Tensor& x, const at::Tensor& labels,
                                 const ThreatModel& threat,
                                 const PgdOptions& options) {
  LIPSCHITZ_RETURN_IF_ERROR(options.Validate());
  const RandomSource random(options.seed);
  return AttackInBatches(
      classifier, x, labels, threat, options.batch_size, [&](Search& search) {
        for (int64_t i = 0; i < options.restarts && search.Start(); ++i) {
          Ascend(options, random, search);
        }
      });
}

}  // namespace lipschitz
