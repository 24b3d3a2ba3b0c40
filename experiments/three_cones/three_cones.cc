#include "experiments/three_cones/three_cones.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "experiments/common/figure.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/diagnostics/gradient_norms.h"

namespace lipschitz::experiments {
namespace {

// Every point of a circle is at distance 1 from its centre and at least 1 from
// the others, and there is as much mass around each.
constexpr double kExactDistance = 1.0;

// The critic is drawn over this part of the plane.
constexpr double kWidth = 3.5;
constexpr double kHeight = 1.5;
constexpr int64_t kColumns = 71;
constexpr int64_t kRows = 31;

Sampler Shells(double radius) {
  SphericalShells shells{2, radius, {-2.0, 0.0, 2.0}};
  shells.balanced = true;
  return [shells](int64_t n, const RandomSource& random) {
    return shells.Sample(n, random);
  };
}

WassersteinConfig ConfigFor(Preset preset) {
  WassersteinConfig config;
  // Narrow and deep finds the cones in fewer steps than wide.
  config.mlp().hidden = {64, 64, 64, 64, 64};
  config.batch_size = 96;
  config.learning_rate = 5e-3;
  config.steps = 8000;
  config.test_samples = 9999;  // as many around each centre
  switch (preset) {
    case Preset::kSmoke:
      config.mlp().hidden = {16, 16};
      config.steps = 60;
      config.test_samples = 300;
      break;
    case Preset::kQuick:
      break;
    case Preset::kPaper:
      config.mlp().hidden = {312, 312, 312};
      config.steps = 9600;  // the authors' 600 epochs of 16 batches
      break;
  }
  return config;
}

// Few digits are enough for a figure and keep records small.
std::vector<double> Rounded(const torch::Tensor& values, double digits) {
  const torch::Tensor rounded =
      torch::round(values.to(torch::kDouble) * digits).contiguous();
  std::vector<double> result(rounded.numel());
  for (int64_t i = 0; i < rounded.numel(); ++i) {
    result[i] = rounded.data_ptr<double>()[i] / digits + 0.0;
  }
  return result;
}

// The critic and its gradient norm on a grid, row by row from below.
absl::Status AddSurface(const CriticProblem&,
                        const WassersteinEstimate& estimate,
                        RunOutcome* outcome) {
  Sequential critic = estimate.critic;
  const auto parameters = critic->parameters();
  const Float64Evaluation evaluation(*critic);
  const torch::Tensor x =
      torch::linspace(-kWidth, kWidth, kColumns, torch::kDouble);
  const torch::Tensor y =
      torch::linspace(-kHeight, kHeight, kRows, torch::kDouble);
  const torch::Tensor points =
      torch::stack({x.repeat({kRows}), y.repeat_interleave(kColumns)}, 1)
          .to(parameters[0].device());
  torch::Tensor values;
  {
    torch::NoGradGuard no_grad;
    values = critic->forward(points).squeeze(1).cpu();
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor norms,
                             InputGradientNorms(*critic, points, Norm::kL2));
  outcome->curves["surface"] = {{"x", {-kWidth, kWidth}},
                                {"y", {-kHeight, kHeight}},
                                {"columns", kColumns},
                                {"rows", kRows},
                                {"value", Rounded(values - values.min(), 1e4)},
                                {"gradient_norm", Rounded(norms.cpu(), 1e4)}};
  return absl::OkStatus();
}

HeatMap MapOf(const Json& surface, const char* key) {
  HeatMap map;
  const auto x = surface.at("x").get<std::vector<double>>();
  const auto y = surface.at("y").get<std::vector<double>>();
  map.x_first = x.at(0);
  map.x_last = x.at(1);
  map.y_first = y.at(0);
  map.y_last = y.at(1);
  map.columns = surface.at("columns").get<int>();
  map.value = surface.at(key).get<std::vector<double>>();
  return map;
}

}  // namespace

absl::StatusOr<std::vector<CriticRun>> ThreeConesExperiment::Runs(
    const CommonSettings& common) const {
  struct Variant {
    const char* constraint;
    const char* activation;
  };
  static constexpr Variant kVariants[] = {
      {"stiefel", "relu"},        {"stiefel", "abs"},
      {"stiefel", "maxmin"},      {"stiefel", "groupsort4"},
      {"stiefel", "fullsort"},    {"stiefel", "maxout"},
      {"spectral", "groupsort4"}, {"none", "relu"}};
  std::vector<CriticRun> runs;
  for (const Variant& variant : kVariants) {
    CriticRun run;
    run.variant = {{"activation", variant.activation},
                   {"constraint", variant.constraint}};
    run.slug = absl::StrCat(variant.constraint, "-", variant.activation);
    run.config = ConfigFor(common.preset);
    LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().activation,
                               ParseActivation(variant.activation));
    LIPSCHITZ_ASSIGN_OR_RETURN(run.config.mlp().constraint.kind,
                               ParseConstraint(variant.constraint));
    run.problem = [](uint64_t) -> absl::StatusOr<CriticProblem> {
      CriticProblem problem;
      problem.p = Shells(1.0);
      problem.q = Shells(0.0);
      problem.exact = kExactDistance;
      return problem;
    };
    run.examine = AddSurface;
    runs.push_back(std::move(run));
  }
  return runs;
}

absl::Status ThreeConesExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  // A row for ReLU and each sorting activation under the orthonormal
  // constraint, of the first seed there is.
  Figure figure;
  figure.title =
      "Critics of three circles against their centres, orthonormal weights";
  figure.columns = 3;
  figure.panel_width = 420;
  figure.panel_height = 260;
  for (const VariantRecords& group : GroupByVariant(records)) {
    const std::string activation = VariantText(group.variant, "activation");
    if (group.ok.empty() || activation == "abs" || activation == "maxout" ||
        VariantText(group.variant, "constraint") != "stiefel") {
      continue;
    }
    const Json& surface = group.ok[0]->curves.at("surface");
    for (const bool relief : {true, false}) {
      Panel panel;
      panel.title =
          absl::StrCat(activation, relief ? ": critic" : ": level lines");
      panel.x.label = "x";
      panel.y.label = "y";
      panel.map = MapOf(surface, "value");
      panel.map->relief = relief;
      if (!relief) panel.map->contours = {0.25, 0.5, 0.75, 1.0, 1.25, 1.5};
      figure.panels.push_back(std::move(panel));
    }
    Panel panel;
    panel.title = absl::StrCat(activation, ": gradient norm");
    panel.x.label = "x";
    panel.y.label = "y";
    panel.map = MapOf(surface, "gradient_norm");
    panel.map->minimum = 0.0;
    panel.map->maximum = 1.0;
    figure.panels.push_back(std::move(panel));
  }
  if (figure.panels.empty()) return absl::OkStatus();
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
