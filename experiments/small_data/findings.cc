// What it says in the report.
#include "experiments/common/findings.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "experiments/small_data/small_data.h"

namespace lipschitz::experiments {

About SmallDataExperiment::Description() const {
  return {
      "A network whose Lipschitz constant is bounded and whose activation "
      "preserves gradient norms generalises better from few images than a "
      "standard one.",
      "LeNets and dense networks are trained on balanced subsets of the "
      "training images, another one for every seed. The test accuracy of "
      "constrained networks with MaxMin is compared with that of free ones, "
      "and of free ones with dropout.",
      "All models share one number of steps and have the optimiser and the "
      "rate "
      "that are best on validation images: Adam for free networks, for the "
      "MLP with dropout and for the ∞-norm, Muon for the LeNet with dropout "
      "and for the other constraints; the authors' two "
      "configurations differ in the number of images. Their convolutions are "
      "divided by the factor that windows overlap by, which the authors leave "
      "out."};
}

std::vector<Finding> SmallDataExperiment::Findings(
    const std::vector<Record>& records) const {
  const std::vector<Record> quick = StandardRecords(records, Preset::kQuick);
  std::vector<Finding> findings;
  std::vector<Check> than_free;
  std::vector<Check> than_dropout;
  for (const std::string& dataset : DatasetsOf(quick)) {
    const std::vector<Record> subsets = OfDataset(quick, dataset);
    for (const int images : {300, 500, 1000}) {
      for (const auto& [network, constraint] :
           {std::pair("lenet", "orthogonal"), {"mlp", "stiefel"}}) {
        const auto ours = MeanOf(subsets,
                                 {{"network", network},
                                  {"constraint", constraint},
                                  {"activation", "maxmin"},
                                  {"images", images}},
                                 "test_accuracy");
        const auto compare = [&, network = network](
                                 const char* rival,
                                 std::vector<Check>* checks) {
          const auto others = MeansOf(
              subsets,
              {{"network", network}, {"constraint", rival}, {"images", images}},
              "test_accuracy");
          if (!ours || others.empty()) return;
          const VariantMean& best = Largest(others);
          checks->push_back(
              {absl::StrCat(dataset, ", ", images, " images, ", network, ": ",
                            Text(*ours, 4), " against ", Text(best.summary, 4),
                            " (", NameOf(best.variant), ")"),
               ClearlyAbove(*ours, best.summary)});
        };
        compare("none", &than_free);
        compare("dropout", &than_dropout);
      }
    }
  }
  AddFinding(
      "LeNets of orthogonal convolutions and orthonormal dense networks, with "
      "MaxMin, are better than the best free one of the same layout, by more "
      "than the larger standard deviation, with up to 1000 images.",
      name(), than_free, &findings);
  AddFinding(
      "LeNets of orthogonal convolutions and orthonormal dense networks, with "
      "MaxMin, are better than the free one with dropout, by more than the "
      "larger standard deviation, with up to 1000 images.",
      name(), than_dropout, &findings);
  return findings;
}

}  // namespace lipschitz::experiments
