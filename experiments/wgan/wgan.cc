#include "experiments/wgan/wgan.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "experiments/common/cost.h"
#include "experiments/common/figure.h"
#include "experiments/common/image_data.h"
#include "experiments/wgan/training.h"
#include "lipschitz/base/status.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 5;

constexpr char kReal[] = "real";

GanRecipe RecipeOf(Preset preset, WassersteinGanKind kind) {
  GanRecipe recipe;
  WassersteinGanConfig& gan = recipe.gan;
  gan.kind = kind;
  switch (preset) {
    case Preset::kSmoke:
      gan.generator.noise_dim = 8;
      gan.generator.hidden = 16;
      gan.generator.wide_channels = 8;
      gan.generator.narrow_channels = 4;
      gan.critic_channels = {4, 8};
      gan.critic_hidden = 16;
      gan.batch_size = 32;
      gan.generator_learning_rate = 5e-3;
      gan.critic_learning_rate = 5e-3;
      recipe.iterations = 20;
      recipe.critic_steps = 2;
      recipe.report_every = 10;
      recipe.classifier_epochs = 1;
      recipe.evaluation.images = 100;
      recipe.evaluation.exact_images = 40;
      recipe.evaluation.critic_hidden = {16, 16};
      recipe.evaluation.critic_steps = 30;
      break;
    case Preset::kQuick:
      gan.generator.hidden = 128;
      gan.generator.wide_channels = 32;
      gan.generator.narrow_channels = 16;
      gan.critic_channels = {16, 32};
      gan.critic_hidden = 128;
      gan.generator_learning_rate = 1e-3;
      gan.critic_learning_rate = 1e-3;
      recipe.iterations = 500;
      recipe.report_every = 100;
      recipe.classifier_epochs = 1;
      recipe.evaluation.images = 4000;
      recipe.evaluation.critic_hidden = {128, 128, 128};
      recipe.evaluation.critic_steps = 300;
      break;
    case Preset::kPaper:
      // 50 epochs of MNIST, counted in steps of the critic.
      break;
  }
  return recipe;
}

// Takes the sizes of the images, and compares no more than there are, so that
// a record says how many were compared.
void FitTo(const ImageDataset& data, GanRecipe* recipe) {
  EvaluationSizes& sizes = recipe->evaluation;
  sizes.images = std::min(sizes.images, data.test.size());
  sizes.exact_images = std::min(sizes.exact_images, sizes.images);
  recipe->gan.generator.channels = data.channels();
  recipe->gan.generator.height = data.height();
  recipe->gan.generator.width = data.width();
}

Json ConfigOf(const std::string& kind, const GanRecipe& recipe,
              const std::string& dataset) {
  Json config = {{"version", kVersion}, {"dataset", dataset}};
  if (kind == kReal) {
    // Nothing of the training matters.
    config["classifier_epochs"] = recipe.classifier_epochs;
    config.update(recipe.evaluation.ToJson());
  } else {
    config.update(recipe.ToJson());
  }
  return config;
}

std::string Kind(const VariantRecords& group) {
  return group.variant.value("kind", "");
}

std::string Dataset(const VariantRecords& group) {
  return group.config.value("dataset", "");
}

std::vector<std::string> Kinds() {
  std::vector<std::string> kinds = WassersteinGanNames();
  kinds.push_back(kReal);
  return kinds;
}

// By dataset, and the kinds in their order.
std::vector<VariantRecords> Ordered(const std::vector<Record>& records) {
  const std::vector<std::string> kinds = Kinds();
  const auto key = [&](const VariantRecords& group) {
    return std::make_tuple(Dataset(group),
                           std::find(kinds.begin(), kinds.end(), Kind(group)));
  };
  std::vector<VariantRecords> groups = GroupByVariant(records);
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const VariantRecords& a, const VariantRecords& b) {
                     return key(a) < key(b);
                   });
  return groups;
}

// One line for each seed of a group.
void AppendSeries(const VariantRecords& group, const std::string& metric,
                  const std::string& label, const std::string& colour,
                  LineStyle style, Panel* panel) {
  bool first = true;
  for (const Record* record : group.ok) {
    Series series;
    if (first) series.label = label;
    series.colour = colour;
    series.style = style;
    series.width = 1.5;
    for (const HistoryEntry& entry : record->history) {
      const auto value = entry.metrics.find(metric);
      if (value == entry.metrics.end()) continue;
      series.x.push_back(static_cast<double>(entry.step));
      series.y.push_back(value->second);
    }
    first = false;
    panel->series.push_back(std::move(series));
  }
}

}  // namespace

absl::StatusOr<std::vector<Run>> WganExperiment::Plan(
    const CommonSettings& common) const {
  LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown("kind", settings_.kinds, Kinds()));
  LIPSCHITZ_ASSIGN_OR_RETURN(const auto data, LoadImages(common));
  std::vector<Run> runs;
  GanData shared;
  shared.images = data;
  for (const std::string& kind : Kinds()) {
    if (!settings_.kinds.empty() &&
        std::count(settings_.kinds.begin(), settings_.kinds.end(), kind) == 0) {
      continue;
    }
    WassersteinGanKind gan_kind = WassersteinGanKind::kLwgan;
    if (kind != kReal) {
      LIPSCHITZ_ASSIGN_OR_RETURN(gan_kind, ParseWassersteinGan(kind));
    }
    GanRecipe standard = RecipeOf(common.preset, gan_kind);
    FitTo(*data, &standard);
    GanRecipe recipe = standard;
    recipe.iterations = settings_.iterations.value_or(recipe.iterations);
    recipe.critic_steps = settings_.critic_steps.value_or(recipe.critic_steps);
    recipe.report_every = std::min(recipe.report_every, recipe.iterations);
    recipe.gan.generator_learning_rate =
        settings_.generator_learning_rate.value_or(
            recipe.gan.generator_learning_rate);
    recipe.gan.critic_learning_rate = settings_.critic_learning_rate.value_or(
        recipe.gan.critic_learning_rate);
    if (recipe.iterations < 1 || recipe.critic_steps < 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--iterations and --critic_steps must be at least 1, got ",
          recipe.iterations, " and ", recipe.critic_steps));
    }
    const absl::Status fits = recipe.gan.Validate();
    if (!fits.ok()) return WithContext(fits, data->name);
    LIPSCHITZ_RETURN_IF_ERROR(ImagesToCompare(recipe, *data).status());
    if (!shared.features) {
      shared.features =
          std::make_shared<FeatureNetworks>(recipe.classifier_epochs);
    }
    Run run;
    run.dataset = data->name;
    run.notes = data->notes;
    run.label = absl::StrCat(data->name, ", ", kind);
    run.variant = {{"kind", kind}};
    run.config = ConfigOf(kind, recipe, data->name);
    run.slug = MakeSlug(absl::StrCat(data->name, "-", kind), common.preset,
                        ConfigOf(kind, standard, data->name), &run.config);
    run.execute = [kind, recipe, shared](const RunContext& context) {
      return kind == kReal ? EvaluateRealImages(recipe, shared, context)
                           : TrainAndEvaluateGan(recipe, shared, context);
    };
    runs.push_back(std::move(run));
  }
  return runs;
}

Table WganExperiment::MakeTable(const std::vector<Record>& records) const {
  Table table;
  table.title = "Generated images beside real ones";
  table.columns = {{"dataset"},
                   {"images of"},
                   {"W1 certified", {3}, Better::kLower},
                   {"95 % interval"},
                   {"W1 exact", {3}, Better::kLower},
                   {"Fréchet", {1}, Better::kLower},
                   {"precision", {3}, Better::kHigher},
                   {"recall", {3}, Better::kHigher},
                   {"density", {3}, Better::kHigher},
                   {"coverage", {3}, Better::kHigher},
                   {"own estimate", {3}},
                   {"K", {4, false}},
                   {"s/iteration", {3, false}},
                   {"collapsed", {2, false}}};
  AddCostColumns(0, &table);
  table.compared_within = 1;
  for (const VariantRecords& group : Ordered(records)) {
    const auto iterations = group.config.value("iterations", int64_t{1});
    const Summary seconds =
        SummariseRecords(group, [iterations](const Record& record) {
          return record.wall_seconds / static_cast<double>(iterations);
        });
    const auto summary = [&](const char* metric) {
      return SummariseMetric(group, metric);
    };
    const bool real = Kind(group) == kReal;
    const auto of_gan = [real](const Summary& value) {
      return real ? Cell("") : Cell(value);
    };
    // What the generators are compared with is no generator.
    if (real) table.reference_rows.insert(table.rows.size());
    table.rows.push_back(
        {Dataset(group), real ? "real (floor)" : Kind(group),
         summary("certified_wasserstein"), IntervalText(group),
         summary("exact_wasserstein"), summary("frechet_distance"),
         summary("precision"), summary("recall"), summary("density"),
         summary("coverage"), of_gan(summary("critic_estimate")),
         of_gan(SummariseUpperBound(group)), of_gan(seconds),
         of_gan(SummariseWithFailed(group, "collapsed"))});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {
      absl::StrCat(
          "Every measure compares with test images. W1: l2 of images in [-1, "
          "1]; certified: the mean difference of a fresh critic over its "
          "proven constant, on images that it was not trained on, with the "
          "interval of its expectation (ends averaged over seeds), whose lower "
          "end bounds W1 of the distributions from below; exact: of as many "
          "images of each side as the config says, which is above W1 of the "
          "distributions. Fréchet: squared distance in the features of this "
          "project's own classifier (no Inception FID). Precision to coverage: "
          "nearest neighbours in the same features. real: other images of the "
          "dataset."),
      absl::StrCat(
          "Own estimate: mean f(x) - mean f(G(z)) of the critic in training, "
          "over its last steps; K: what its constant is proven to be at most. "
          "With K above 1 the own estimate is no bound on a distance, with K "
          "below 1 one that is too small by that factor. s/iteration: a step "
          "of the generator with its steps "
          "of the critic; seconds: of training, of real images those of "
          "measuring them. Preset: ",
          records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status WganExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  Figure figure;
  figure.title = "The critic's loss and estimate in training";
  figure.columns = 3;
  figure.legend_below = true;
  for (const VariantRecords& group : Ordered(records)) {
    if (Kind(group) == kReal || group.ok.empty()) continue;
    Panel panel;
    panel.title = absl::StrCat(Dataset(group), ", ", Kind(group));
    panel.x = {"steps of the generator"};
    panel.y = {"in units of the critic, real images above"};
    AppendSeries(group, "critic_estimate", "mean difference", "#0072B2",
                 LineStyle::kSolid, &panel);
    AppendSeries(group, "critic_loss", "loss", "#D55E00", LineStyle::kDashed,
                 &panel);
    figure.panels.push_back(std::move(panel));
  }
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
