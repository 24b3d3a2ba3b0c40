#include "experiments/high_dimensional_cone/high_dimensional_cone.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "experiments/common/figure.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/optim/optimizer.h"

namespace lipschitz::experiments {
namespace {

// Every point of the sphere is at distance 1 from its centre.
constexpr double kExactDistance = 1.0;

struct Sizes {
  std::vector<int64_t> dimensions;
  std::vector<int64_t> depths;
  // Dimensions in which FullSort alone is trained, with the first depth.
  std::vector<int64_t> more_dimensions;
  int64_t least_width = 256;
  WassersteinConfig config;
  WassersteinConfig more_config;

  // A narrower layer than its input of orthonormal rows projects it, and the
  // critic could see only part of the sphere.
  int64_t Width(int64_t dim) const { return std::max(least_width, dim); }
};

Sizes SizesFor(Preset preset) {
  Sizes sizes;
  sizes.config.batch_size = 128;
  sizes.config.steps = 1000;
  sizes.more_config = sizes.config;
  switch (preset) {
    case Preset::kSmoke:
      sizes.dimensions = {16};
      sizes.depths = {2};
      sizes.least_width = 16;
      sizes.config.steps = 60;
      sizes.config.test_samples = 300;
      break;
    case Preset::kQuick:
      sizes.dimensions = {128};
      sizes.depths = {3};
      sizes.more_dimensions = {256, 512};
      // FullSort is as near in 200 such steps as in 1000 of Adam; smaller
      // groups are not.
      sizes.more_config.optimizer = OptimizerKind::kFastMuon;
      sizes.more_config.learning_rate = 0.1;
      sizes.more_config.steps = 200;
      break;
    case Preset::kPaper:
      sizes.dimensions = {128, 256, 512};
      sizes.depths = {3, 7};
      break;
  }
  return sizes;
}

Sampler Shell(int64_t dim, double radius) {
  const SphericalShells shell{dim, radius, {0.0}};
  return [shell](int64_t n, const RandomSource& random) {
    return shell.Sample(n, random);
  };
}

}  // namespace

absl::StatusOr<std::vector<CriticRun>> HighDimensionalConeExperiment::Runs(
    const CommonSettings& common) const {
  const Sizes sizes = SizesFor(common.preset);
  std::vector<CriticRun> runs;
  const auto add = [&](const WassersteinConfig& config, int64_t dim,
                       int64_t depth, const std::string& constraint,
                       const std::string& activation) -> absl::Status {
    CriticRun run;
    run.variant = {{"activation", activation},
                   {"constraint", constraint},
                   {"hidden_layers", depth},
                   {"dimension", dim}};
    run.slug =
        absl::StrCat("d", dim, "-", depth, "x-", constraint, "-", activation);
    run.problem_config = {{"dimension", dim}};
    run.config = config;
    run.config.mlp().hidden.assign(depth, sizes.Width(dim));
    LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().activation,
                               ParseActivation(activation));
    LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().constraint.kind,
                               ParseConstraint(constraint));
    run.problem = [dim](uint64_t) -> absl::StatusOr<CriticProblem> {
      CriticProblem problem;
      problem.p = Shell(dim, 1.0);
      problem.q = Shell(dim, 0.0);
      problem.exact = kExactDistance;
      return problem;
    };
    runs.push_back(std::move(run));
    return absl::OkStatus();
  };
  for (const int64_t dim : sizes.dimensions) {
    for (const int64_t depth : sizes.depths) {
      for (const char* activation : {"relu", "abs", "maxmin", "groupsort4",
                                     "groupsort8", "fullsort", "maxout"}) {
        LIPSCHITZ_RETURN_IF_ERROR(
            add(sizes.config, dim, depth, "stiefel", activation));
      }
      for (const char* activation : {"relu", "fullsort"}) {
        LIPSCHITZ_RETURN_IF_ERROR(
            add(sizes.config, dim, depth, "spectral", activation));
      }
      // A control whose mean difference is no bound.
      LIPSCHITZ_RETURN_IF_ERROR(add(sizes.config, dim, depth, "none", "relu"));
    }
  }
  for (const int64_t dim : sizes.more_dimensions) {
    LIPSCHITZ_RETURN_IF_ERROR(
        add(sizes.more_config, dim, sizes.depths[0], "stiefel", "fullsort"));
  }
  return runs;
}

std::optional<std::string> HighDimensionalConeExperiment::MetricFor(
    const Anchor& anchor, const Record& record) const {
  const std::string dimension = VariantText(record.variant, "dimension");
  if (anchor.dataset != absl::StrCat("shell_", dimension)) return std::nullopt;
  return CriticExperiment::MetricFor(anchor, record);
}

absl::Status HighDimensionalConeExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  // What is missing to the exact distance over training, of the first seed.
  Figure figure;
  figure.title =
      "A sphere against its centre, orthonormal weights: what the critic "
      "misses";
  figure.columns = 2;
  figure.legend_below = true;
  for (const VariantRecords& group : GroupByVariant(records)) {
    if (group.ok.empty() ||
        VariantText(group.variant, "constraint") != "stiefel") {
      continue;
    }
    const std::string title = absl::StrCat(
        "d = ", VariantText(group.variant, "dimension"), ", ",
        VariantText(group.variant, "hidden_layers"), " hidden layers");
    auto panel = std::find_if(
        figure.panels.begin(), figure.panels.end(),
        [&](const Panel& candidate) { return candidate.title == title; });
    if (panel == figure.panels.end()) {
      Panel next;
      next.title = title;
      next.x = {"step"};
      next.y = {"1 − mean difference", 1e-5, 1.0, true};
      panel = figure.panels.insert(panel, next);
    }
    Series series;
    series.label = VariantText(group.variant, "activation");
    series.colour = ActivationColour(series.label);
    // Of the same colour as groups of 4.
    if (series.label == "groupsort8") series.style = LineStyle::kDashed;
    for (const HistoryEntry& entry : group.ok[0]->history) {
      series.x.push_back(static_cast<double>(entry.step));
      series.y.push_back(
          std::max(1e-5, kExactDistance + entry.metrics.at("loss")));
    }
    panel->series.push_back(std::move(series));
  }
  if (figure.panels.empty()) return absl::OkStatus();
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
