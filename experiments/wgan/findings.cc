// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "experiments/wgan/wgan.h"

namespace lipschitz::experiments {

namespace {

// Those that did not stay finite are failed runs. Also where there is none.
bool MostCollapsed(const std::vector<Record>& records, const char* kind) {
  for (const VariantRecords& group : GroupByVariant(records)) {
    if (!HasValues(group.variant, {{"kind", kind}})) continue;
    const Summary collapsed = SummariseWithFailed(group, "collapsed");
    return collapsed.count == 0 || collapsed.mean > 0.5;
  }
  return true;
}

}  // namespace

About WganExperiment::Description() const {
  return {
      "A critic that is 1-Lipschitz by construction takes the place of the "
      "gradient penalty and of weight clipping.",
      "The same generator is trained with the same budget by three kinds of "
      "critics. Its images are compared with held-out ones by measures that do "
      "not know the critic; real images against real ones are the floor.",
      "The authors' critic is not 1-Lipschitz, and their penalised one "
      "normalises batches; ours are what they claim. The quick preset's "
      "networks have a quarter of the channels, an eighth of the hidden "
      "neurons, and train for 500 iterations."};
}

std::vector<Finding> WganExperiment::Findings(
    const std::vector<Record>& records) const {
  std::vector<Finding> findings;
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Check> checks;
  for (const std::string& dataset : DatasetsOf(quick)) {
    const std::vector<Record> part = OfDataset(quick, dataset);
    const auto mean = [&](const char* kind, const char* metric) {
      return MeanOf(part, {{"kind", kind}}, metric);
    };
    for (const char* other : {"wgan_gp", "wgan"}) {
      // Nothing to be as good as.
      if (MostCollapsed(part, other)) continue;
      const auto compare = [&](const char* metric, const char* name,
                               int decimals, bool less_is_better) {
        const auto ours = mean("lwgan", metric);
        const auto theirs = mean(other, metric);
        if (!ours.has_value() || !theirs.has_value()) return;
        checks.push_back(
            {absl::StrCat(dataset, ": ", name, " ", Text(*ours, decimals),
                          " against ", Text(*theirs, decimals), " of ", other),
             less_is_better ? !ClearlyAbove(*ours, *theirs)
                            : !ClearlyAbove(*theirs, *ours)});
      };
      compare("frechet_distance", "Fréchet distance", 1, true);
      compare("coverage", "coverage", 3, false);
      compare("precision", "precision", 3, false);
    }
  }
  AddFinding(
      "A generator is trained as well by a critic of proven constant 1 as by "
      "the gradient penalty and by clipping, where most seeds of these do not "
      "collapse (their means are over all that stayed finite).",
      "wgan", checks, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
