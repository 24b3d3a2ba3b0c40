#include "experiments/small_data/small_data.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/certificate_gate.h"
#include "experiments/common/classifier_training.h"
#include "experiments/common/cost.h"
#include "experiments/common/figure.h"
#include "experiments/common/image_data.h"
#include "experiments/small_data/models.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/certify/certificate.h"
#include "lipschitz/certify/certified_accuracy.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/split.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 2;

// Streams of random numbers of a run.
constexpr uint64_t kSubsetStream = 11;
constexpr uint64_t kHeldOutStream = 12;

// l2, pixels in [0, 1].
const std::vector<double>& Radii() {
  static const auto* const radii = new std::vector<double>{0.5, 1.58};
  return *radii;
}

struct Sizes {
  std::vector<int64_t> images;
  // Of training: that many epochs, and steps at most, not counting the last,
  // smaller batch of every epoch.
  int64_t epochs = 200;
  int64_t most_steps = 0;
  // Test images that are used; 0: all.
  int64_t test_images = 0;
  // Of each of the two attacks on a certificate.
  int64_t gate_steps = 3;
};

Sizes SizesOf(Preset preset) {
  Sizes sizes;
  switch (preset) {
    case Preset::kSmoke:
      sizes.images = {100};
      sizes.most_steps = 30;
      sizes.test_images = 200;
      break;
    case Preset::kQuick:
      sizes.images = {300};
      sizes.most_steps = 600;
      break;
    case Preset::kPaper:
      sizes.images = {300, 500, 1000, 5000};
      sizes.most_steps = 1 << 30;
      sizes.gate_steps = 10;
      break;
  }
  return sizes;
}

int64_t Epochs(const Sizes& sizes, int64_t images, int64_t batch_size) {
  const int64_t steps_per_epoch = std::max<int64_t>(1, images / batch_size);
  return std::min(sizes.epochs,
                  std::max<int64_t>(1, sizes.most_steps / steps_per_epoch));
}

// Whether every subset, and what is held out beside it, is there.
absl::Status CheckCounts(const std::vector<int64_t>& counts,
                         const ImageDataset& data, int64_t held_out) {
  const int64_t classes = data.classes();
  const torch::Tensor per_class =
      torch::bincount(data.train.labels, /*weights=*/{}, classes);
  const int64_t total = data.train.size();
  for (size_t i = 0; i < counts.size(); ++i) {
    const int64_t images = counts[i];
    if (images < classes || images % classes != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--images must be multiples of the ", classes,
                       " classes of ", data.name, ", got ", images));
    }
    if (std::count(counts.begin(), counts.end(), images) > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--images has ", images, " twice"));
    }
  }
  // Of the smallest class, less its share of what is held out.
  const int64_t smallest = per_class.min().item<int64_t>();
  const int64_t most =
      classes * (smallest - (held_out * smallest + total - 1) / total);
  const int64_t largest = *std::max_element(counts.begin(), counts.end());
  if (held_out >= total || largest > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("--images=", largest, " with --held_out=", held_out,
                     " is more than ", data.name, " has: ", smallest,
                     " training images of its smallest class"));
  }
  return absl::OkStatus();
}

// A balanced subset of the training images, and what to test on.
absl::StatusOr<ImageDataset> Subset(const ImageDataset& data, int64_t images,
                                    int64_t held_out, int64_t test_images,
                                    uint64_t seed) {
  ImageDataset small = data;
  LabelledImages pool = data.train;
  if (held_out > 0) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        const Split split, StratifiedSplit(pool.labels, held_out,
                                           StreamSeed(seed, kHeldOutStream)));
    small.test = pool.Select(split.validation);
    pool = pool.Select(split.train);
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const torch::Tensor chosen,
      BalancedSubset(pool.labels, data.classes(), images / data.classes(),
                     StreamSeed(seed, kSubsetStream)));
  small.train = pool.Select(chosen);
  small.test = FirstImages(small.test, test_images);
  return small;
}

absl::StatusOr<RunOutcome> TrainAndTest(const std::string& model,
                                        const ClassifierRecipe& recipe,
                                        const ImageDataset& data,
                                        const std::string& prefix,
                                        int64_t gate_steps,
                                        const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(recipe, Norm::kL2, data, AccuracyOf, context));
  LIPSCHITZ_RETURN_IF_ERROR(SaveClassifier(context.model_path, "small_data",
                                           model, Norm::kL2, data, trained));
  CertificationOptions options;
  options.norm = Norm::kL2;
  const torch::Device device = trained.network->parameters().front().device();
  const torch::Tensor images = FlatPixels(data.test).to(device);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const Certificates certificates,
      Certify(*trained.network, images, data.test.labels.to(device), options));
  const torch::Tensor correct = certificates.predicted == certificates.labels;
  RunOutcome outcome;
  outcome.metrics[prefix + "accuracy"] =
      correct.to(torch::kDouble).mean().item<double>();
  const std::vector<double> certified =
      CertifiedAccuracy(certificates.pairwise_radius, Radii());
  for (size_t i = 0; i < Radii().size(); ++i) {
    outcome.metrics[absl::StrFormat("%scertified_%g", prefix, Radii()[i])] =
        certified[i];
  }
  GateSettings gate;
  gate.steps = gate_steps;
  gate.seed = context.seed;
  gate.float32_search = true;
  gate.stop_requested = context.stop_requested;
  outcome.verdict =
      PassGate(*trained.network, images, certificates, gate,
               context.model_path + ".counterexample.json", &outcome.metrics);
  if (absl::IsCancelled(outcome.verdict)) return outcome.verdict;
  outcome.lipschitz =
      LipschitzRecord{Norm::kL2, certificates.lipschitz_constant, 0.0};
  outcome.SetTraining(trained.training);
  return outcome;
}

Json ConfigOf(const ClassifierRecipe& recipe, const std::string& dataset,
              int64_t images, int64_t held_out, const Sizes& sizes) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config["images"] = images;
  config.update(recipe.ToJson());
  config["held_out"] = held_out;
  config["test_images"] = sizes.test_images;
  config["gate_steps"] = sizes.gate_steps;
  config["gate_search"] = "float32";
  return config;
}

std::string Text(const Json& variant, const char* key) {
  return variant.value(key, "");
}

int64_t Images(const VariantRecords& group) {
  return group.variant.value("images", int64_t{0});
}

std::string Dataset(const VariantRecords& group) {
  return group.config.value("dataset", "");
}

// By dataset and number of images, the most accurate first.
std::vector<VariantRecords> Ordered(const std::vector<Record>& records) {
  std::vector<VariantRecords> groups = GroupByVariant(records);
  const auto key = [](const VariantRecords& group) {
    return std::make_tuple(Dataset(group), Images(group),
                           -SummariseMetric(group, "test_accuracy").mean);
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&key](const VariantRecords& a, const VariantRecords& b) {
                     return key(a) < key(b);
                   });
  return groups;
}

}  // namespace

absl::StatusOr<std::vector<Run>> SmallDataExperiment::Plan(
    const CommonSettings& common) const {
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  const Sizes sizes = SizesOf(common.preset);
  const std::vector<int64_t>& counts =
      settings_.images.empty() ? sizes.images : settings_.images;
  const std::vector<SmallDataModel> models = SmallDataModels(common.preset);
  const int64_t held_out = settings_.changes.held_out.value_or(0);
  LIPSCHITZ_RETURN_IF_ERROR(CheckCounts(counts, *data, held_out));
  std::vector<std::string> known;
  for (const SmallDataModel& model : models) known.push_back(model.name);
  LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown("model", settings_.models, known));
  std::vector<Run> runs;
  // Those that take an offset and a temperature; free networks have neither.
  std::vector<ClassifierRecipe> lowered;
  for (const int64_t images : counts) {
    for (const SmallDataModel& model : models) {
      if (!settings_.models.empty() &&
          std::count(settings_.models.begin(), settings_.models.end(),
                     model.name) == 0) {
        continue;
      }
      ClassifierRecipe standard = model.recipe;
      standard.epochs = Epochs(sizes, images, standard.batch_size);
      // An epoch of fewer images than a batch would have no step.
      standard.batch_size = std::min(standard.batch_size, images);
      RecipeChanges changes = settings_.changes;
      // Of the subsets' complement, below.
      changes.held_out = 0;
      if (standard.offset == 0.0) {
        changes.offset.reset();
        changes.temperature.reset();
      } else {
        lowered.push_back(standard);
      }
      const ClassifierRecipe recipe = changes.AppliedTo(standard);
      LIPSCHITZ_RETURN_IF_ERROR(recipe.Validate(*data));
      Run run;
      run.dataset = data->name;
      run.notes = data->notes;
      run.label =
          absl::StrCat(data->name, ", ", images, " images, ", model.name);
      run.variant = {{"network", model.network},
                     {"constraint", model.constraint},
                     {"activation", model.activation},
                     {"images", images}};
      run.config = ConfigOf(recipe, data->name, images, held_out, sizes);
      run.slug = MakeSlug(
          absl::StrCat(data->name, "-", images, "-", model.name), common.preset,
          ConfigOf(standard, data->name, images, 0, sizes), &run.config);
      run.execute =
          [model_name = model.name, recipe, data, images, held_out,
           sizes](const RunContext& context) -> absl::StatusOr<RunOutcome> {
        LIPSCHITZ_ASSIGN_OR_RETURN(
            const ImageDataset small,
            Subset(*data, images, held_out, sizes.test_images, context.seed));
        return TrainAndTest(model_name, recipe, small,
                            held_out > 0 ? "validation_" : "test_",
                            sizes.gate_steps, context);
      };
      runs.push_back(std::move(run));
    }
  }
  LIPSCHITZ_RETURN_IF_ERROR(settings_.changes.ExpectUse(lowered));
  return runs;
}

Table SmallDataExperiment::MakeTable(const std::vector<Record>& records) const {
  Table table;
  table.title = "Few training images";
  table.columns = {{"dataset"},
                   {"images"},
                   {"network"},
                   {"constraint"},
                   {"activation"},
                   {"test accuracy", {4, true}, Better::kHigher},
                   {"certified 0.5", {4, true}, Better::kHigher},
                   {"certified 1.58", {4, true}, Better::kHigher},
                   {"broken"},
                   {"K", {4, false}}};
  AddCostColumns(1, &table);
  table.compared_within = 2;
  for (const VariantRecords& group : Ordered(records)) {
    table.rows.push_back({Dataset(group), absl::StrCat(Images(group)),
                          Text(group.variant, "network"),
                          Text(group.variant, "constraint"),
                          Text(group.variant, "activation"),
                          SummariseMetric(group, "test_accuracy"),
                          SummariseMetric(group, "test_certified_0.5"),
                          SummariseMetric(group, "test_certified_1.58"),
                          GateCell(group), SummariseUpperBound(group)});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {absl::StrCat(
      "Certified: class right and proven within the l2 radius, pixels in [0, "
      "1]. Broken: certified images, of all certified ones, for which an "
      "attack inside the certified radius succeeded. K: proven, l2; seconds: "
      "of training. Mean ± standard deviation over seeds, each with a "
      "training subset of its own. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status SmallDataExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  // Accuracy over the number of images, means over seeds: a panel per dataset
  // and network.
  const std::vector<VariantRecords> groups = Ordered(records);
  Figure figure;
  figure.title = "Test accuracy from few images";
  figure.columns = 2;
  figure.legend_below = true;
  for (const VariantRecords& group : groups) {
    if (group.ok.empty()) continue;
    const std::string title =
        absl::StrCat(Dataset(group), ", ", Text(group.variant, "network"));
    auto panel = std::find_if(
        figure.panels.begin(), figure.panels.end(),
        [&](const Panel& candidate) { return candidate.title == title; });
    if (panel == figure.panels.end()) {
      Panel next;
      next.title = title;
      next.x = {"training images"};
      next.x.logarithmic = true;
      next.y = {"test accuracy"};
      panel = figure.panels.insert(panel, next);
    }
    const std::string constraint = Text(group.variant, "constraint");
    const std::string activation = Text(group.variant, "activation");
    const std::string label = absl::StrCat(constraint, " ", activation);
    auto series = std::find_if(
        panel->series.begin(), panel->series.end(),
        [&](const Series& candidate) { return candidate.label == label; });
    if (series == panel->series.end()) {
      Series next;
      next.label = label;
      const std::string colour = ConstraintColour(constraint);
      next.colour = colour.empty() ? ActivationColour(activation) : colour;
      next.style = constraint == "none" || constraint == "dropout"
                       ? LineStyle::kDashed
                       : LineStyle::kSolid;
      series = panel->series.insert(series, next);
    }
    const double images = static_cast<double>(Images(group));
    series->x.push_back(images);
    series->y.push_back(SummariseMetric(group, "test_accuracy").mean);
    // The axis ends a little outside the sizes that it names.
    std::vector<double>& sizes = panel->x.tics;
    if (std::find(sizes.begin(), sizes.end(), images) == sizes.end()) {
      sizes.push_back(images);
    }
    const auto [fewest, most] = std::minmax_element(sizes.begin(), sizes.end());
    panel->x.minimum = *fewest / 1.2;
    panel->x.maximum = *most * 1.2;
  }
  // By dataset and network, whichever has the most accurate model.
  std::sort(figure.panels.begin(), figure.panels.end(),
            [](const Panel& a, const Panel& b) { return a.title < b.title; });
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
