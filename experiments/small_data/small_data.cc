#include "experiments/small_data/small_data.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "experiments/common/classifier_training.h"
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
constexpr int kVersion = 1;

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
  // Of training: that many epochs, and steps at most.
  int64_t epochs = 200;
  int64_t most_steps = 0;
  // Test images that are used; 0: all.
  int64_t test_images = 0;
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
      sizes.images = {300, 1000};
      sizes.most_steps = 600;
      break;
    case Preset::kPaper:
      sizes.images = {300, 500, 1000, 5000};
      sizes.most_steps = 1 << 30;
      break;
  }
  return sizes;
}

int64_t Epochs(const Sizes& sizes, int64_t images, int64_t batch_size) {
  const int64_t steps_per_epoch = std::max<int64_t>(1, images / batch_size);
  return std::min(sizes.epochs,
                  std::max<int64_t>(1, sizes.most_steps / steps_per_epoch));
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

absl::StatusOr<RunOutcome> TrainAndTest(const ClassifierRecipe& recipe,
                                        const ImageDataset& data,
                                        const std::string& prefix,
                                        const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(recipe, Norm::kL2, data, AccuracyOf, context));
  CertificationOptions options;
  options.norm = Norm::kL2;
  LIPSCHITZ_ASSIGN_OR_RETURN(const Certificates certificates,
                             Certify(*trained.network, FlatPixels(data.test),
                                     data.test.labels, options));
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
  outcome.lipschitz =
      LipschitzRecord{Norm::kL2, certificates.lipschitz_constant, 0.0};
  outcome.history = trained.training.history;
  outcome.seconds = trained.training.seconds;
  return outcome;
}

Json ConfigOf(const ClassifierRecipe& recipe, const std::string& dataset,
              int64_t images, int64_t held_out, int64_t test_images) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  config["images"] = images;
  config.update(recipe.ToJson());
  config["held_out"] = held_out;
  config["test_images"] = test_images;
  return config;
}

std::string Text(const Json& variant, const char* key) {
  return variant.value(key, "");
}

int64_t Images(const VariantRecords& group) {
  return group.variant.value("images", int64_t{0});
}

}  // namespace

absl::StatusOr<std::vector<Run>> SmallDataExperiment::Plan(
    const CommonSettings& common) const {
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  const Sizes sizes = SizesOf(common.preset);
  const std::vector<int64_t>& counts =
      settings_.images.empty() ? sizes.images : settings_.images;
  const std::vector<SmallDataModel> models = SmallDataModels(common.preset);
  for (const int64_t images : counts) {
    if (images >= data->classes() && images % data->classes() == 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--images must be multiples of the ", data->classes(),
                     " classes of ", data->name, ", got ", images));
  }
  std::vector<Run> runs;
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
      ClassifierRecipe recipe = standard;
      recipe.epochs = settings_.epochs.value_or(recipe.epochs);
      recipe.learning_rate =
          settings_.learning_rate.value_or(recipe.learning_rate);
      if (recipe.offset > 0.0) {
        recipe.offset = settings_.offset.value_or(recipe.offset);
        recipe.temperature = settings_.temperature.value_or(recipe.temperature);
      }
      LIPSCHITZ_RETURN_IF_ERROR(recipe.Validate());
      const int64_t held_out = settings_.held_out;
      Run run;
      run.dataset = data->name;
      run.label =
          absl::StrCat(data->name, ", ", images, " images, ", model.name);
      run.variant = {{"network", model.network},
                     {"constraint", model.constraint},
                     {"activation", model.activation},
                     {"images", images}};
      run.config =
          ConfigOf(recipe, data->name, images, held_out, sizes.test_images);
      run.slug = MakeSlug(
          absl::StrCat(data->name, "-", images, "-", model.name), common.preset,
          ConfigOf(standard, data->name, images, 0, sizes.test_images),
          &run.config);
      run.execute =
          [recipe, data, images, held_out, test_images = sizes.test_images,
           first = runs.empty()](
              const RunContext& context) -> absl::StatusOr<RunOutcome> {
        if (first) AnnounceNotes(*data, context);
        LIPSCHITZ_ASSIGN_OR_RETURN(
            const ImageDataset small,
            Subset(*data, images, held_out, test_images, context.seed));
        return TrainAndTest(recipe, small,
                            held_out > 0 ? "validation_" : "test_", context);
      };
      runs.push_back(std::move(run));
    }
  }
  if (runs.empty()) {
    std::vector<std::string> known;
    for (const SmallDataModel& model : models) known.push_back(model.name);
    return absl::InvalidArgumentError(absl::StrCat(
        "nothing to run: --model knows ", absl::StrJoin(known, ", ")));
  }
  return runs;
}

Table SmallDataExperiment::MakeTable(const std::vector<Record>& records) const {
  Table table;
  table.title = "Few training images";
  table.columns = {{"dataset"},       {"images"},
                   {"network"},       {"constraint"},
                   {"activation"},    {"test accuracy"},
                   {"certified 0.5"}, {"certified 1.58"},
                   {"K", {4, false}}, {"seconds", {1, false}},
                   {"seeds"},         {"failed"}};
  for (const VariantRecords& group : GroupByVariant(records)) {
    std::vector<double> bounds;
    std::vector<double> seconds;
    std::string dataset;
    for (const Record* record : group.ok) {
      dataset = record->dataset;
      seconds.push_back(record->wall_seconds);
      if (record->lipschitz) bounds.push_back(record->lipschitz->upper_bound);
    }
    table.rows.push_back(
        {dataset, absl::StrCat(Images(group)), Text(group.variant, "network"),
         Text(group.variant, "constraint"), Text(group.variant, "activation"),
         SummariseMetric(group, "test_accuracy"),
         SummariseMetric(group, "test_certified_0.5"),
         SummariseMetric(group, "test_certified_1.58"), Summarise(bounds),
         Summarise(seconds), absl::StrCat(group.ok.size()),
         absl::StrCat(group.failed)});
  }
  // By dataset and images, the most accurate first.
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const std::vector<Cell>& a, const std::vector<Cell>& b) {
                     const auto key = [](const std::vector<Cell>& row) {
                       return std::make_tuple(
                           std::get<std::string>(row[0]),
                           std::stoll(std::get<std::string>(row[1])),
                           -std::get<Summary>(row[5]).mean);
                     };
                     return key(a) < key(b);
                   });
  table.notes = {absl::StrCat(
      "Certified: class right and proven within the l2 radius, pixels in [0, "
      "1]. K: proven, l2. Mean ± standard deviation over seeds, each with a "
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
  const std::vector<VariantRecords> groups = GroupByVariant(records);
  Figure figure;
  figure.title = "Test accuracy from few images";
  figure.columns = 2;
  figure.legend_below = true;
  const auto constraint_colour = [](const std::string& constraint,
                                    const std::string& activation) {
    if (constraint == "dropout") return std::string("#999999");
    if (constraint == "spectral") return std::string("#E69F00");
    if (constraint == "linf") return std::string("#8C6D1F");
    if (constraint == "orthogonal") return std::string("#009E73");
    return ActivationColour(activation);
  };
  for (const VariantRecords& group : groups) {
    if (group.ok.empty()) continue;
    const std::string title = absl::StrCat(group.ok[0]->dataset, ", ",
                                           Text(group.variant, "network"));
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
      next.colour = constraint_colour(constraint, activation);
      next.style = constraint == "none" || constraint == "dropout"
                       ? LineStyle::kDashed
                       : LineStyle::kSolid;
      series = panel->series.insert(series, next);
    }
    series->x.push_back(static_cast<double>(Images(group)));
    series->y.push_back(SummariseMetric(group, "test_accuracy").mean);
  }
  for (Panel& panel : figure.panels) {
    for (Series& series : panel.series) {
      // Ascending in x, which the records' file names are not.
      std::vector<std::pair<double, double>> points;
      for (size_t i = 0; i < series.x.size(); ++i) {
        points.emplace_back(series.x[i], series.y[i]);
      }
      std::sort(points.begin(), points.end());
      for (size_t i = 0; i < points.size(); ++i) {
        series.x[i] = points[i].first;
        series.y[i] = points[i].second;
      }
    }
  }
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
