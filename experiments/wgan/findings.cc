// What it says in the report.
#include "experiments/common/findings.h"

#include "absl/strings/str_cat.h"
#include "experiments/wgan/wgan.h"

namespace lipschitz::experiments {

About WganExperiment::Description() const {
  return {
      "A critic that is 1-Lipschitz by construction takes the place of the "
      "gradient penalty and of weight clipping.",
      "The same generator is trained with the same budget by three kinds of "
      "critics. Its images are compared with held-out ones by measures that do "
      "not know the critic; real images against real ones are the floor.",
      "The authors' critic is not 1-Lipschitz, and their penalised one "
      "normalises batches; ours are what they claim. The quick preset's "
      "networks are a quarter as wide and train for 700 iterations."};
}

std::vector<Finding> WganExperiment::Findings(
    const std::vector<Record>& records) const {
  std::vector<Finding> findings;
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Check> checks;
  for (const std::string& dataset : DatasetsOf(quick)) {
    const std::vector<Record> part = OfDataset(quick, dataset);
    const auto mean = [&](const std::string& kind) {
      return MeanOf(part, {{"kind", kind}}, "frechet_distance");
    };
    const auto ours = mean("lwgan");
    for (const char* other : {"wgan_gp", "wgan"}) {
      const auto theirs = mean(other);
      if (!ours.has_value() || !theirs.has_value()) continue;
      checks.push_back(
          {absl::StrCat(dataset, ": Fréchet distance ", Text(*ours, 1),
                        " against ", Text(*theirs, 1), " of ", other),
           ours->mean <= theirs->mean});
    }
  }
  AddFinding(
      "A generator is trained as well by a critic of proven constant 1 as by "
      "the gradient penalty and by clipping.",
      "wgan", checks, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
