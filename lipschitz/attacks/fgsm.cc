#include "lipschitz/attacks/fgsm.h"

#include <ATen/ATen.h>

#include "lipschitz/attacks/search.h"
#include "lipschitz/data/random.h"

namespace lipschitz {

absl::StatusOr<AttackResult> Fgsm(const Classifier& classifier,
                                  const at::Tensor& x, const at::Tensor& labels,
                                  const ThreatModel& threat,
                                  const FgsmOptions& options) {
  const RandomSource random(options.seed);
  return AttackInBatches(
      classifier, x, labels, threat, options.batch_size, [&](Search& search) {
        if (!search.Start()) return;
        const FeasibleSet& set = search.set();
        const ObjectivePoint at_x = EvaluateObjective(
            classifier, options.objective, set.x(), search.labels());
        const at::Tensor point = set.Project(
            set.x() + set.reach() * set.Direction(at_x.gradient, random));
        search.Record(point,
                      EvaluateMargins(classifier, point, search.labels()));
      });
}

}  // namespace lipschitz
