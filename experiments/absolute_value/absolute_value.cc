#include "experiments/absolute_value/absolute_value.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "experiments/common/cost.h"
#include "experiments/common/figure.h"
#include "experiments/common/verdict.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/losses/dual_wasserstein.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/aggmo.h"
#include "lipschitz/transport/dual_estimate.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 2;

// Every sample of P is at distance 1 from every sample of Q.
constexpr double kExactDistance = 1.0;

constexpr double kPlotEnd = 1.2;
constexpr double kPlotStep = 0.025;

// The independent generator of the data; the default one initialises weights.
constexpr uint64_t kTrainingStream = 1;
constexpr uint64_t kTestStream = 2;

struct Variant {
  ActivationSpec activation;
  ConstraintKind constraint = ConstraintKind::kBjorck;
  int64_t hidden_layers = 1;
};

MlpConfig NetworkOf(const Variant& variant,
                    const AbsoluteValueTraining& training) {
  MlpConfig network;
  network.input_dim = 1;
  network.hidden.assign(variant.hidden_layers, training.width);
  network.output_dim = 1;
  network.activation = variant.activation;
  network.constraint.kind = variant.constraint;
  network.constraint.rescale_raw = training.rescale_raw;
  return network;
}

// P: ±1 with probability 1/2 each; Q: the point 0. The optimal critic is |x|.
SphericalShells Ends() { return {1, 1.0, {0.0}}; }
SphericalShells Origin() { return {1, 0.0, {0.0}}; }

Json ConfigOf(const Variant& variant, const AbsoluteValueTraining& training) {
  const ConstraintOptions constraint = NetworkOf(variant, training).constraint;
  Json config = {{"version", kVersion},
                 {"width", training.width},
                 {"steps", training.steps},
                 {"batch_size", training.batch_size},
                 {"optimizer", "aggmo"},
                 {"learning_rate", training.learning_rate},
                 {"schedule", ScheduleName(training.schedule.kind)},
                 {"max_grad_norm", training.max_grad_norm},
                 {"rescale_raw", training.rescale_raw},
                 {"test_samples", training.test_samples}};
  if (variant.constraint == ConstraintKind::kBjorck) {
    config["bjorck"] = {
        {"order", constraint.bjorck.order},
        {"beta", constraint.bjorck.beta},
        {"scaling", BjorckScalingName(constraint.bjorck.scaling)},
        {"iterations", constraint.bjorck.iterations},
        {"tolerance", constraint.bjorck.tolerance}};
  }
  if (variant.constraint == ConstraintKind::kSpectral) {
    config["power_iterations"] = constraint.power_iterations;
  }
  return config;
}

// What the critic looks like, and the steepest slope between grid points.
struct CriticCurve {
  std::vector<double> x;
  std::vector<double> value;  // f(x) − f(0)
  double steepest = 0.0;
};

absl::StatusOr<CriticCurve> EvaluateCritic(LayerImpl& critic) {
  return CatchTorch("critic curve", [&] {
    torch::NoGradGuard no_grad;
    const Float64Evaluation evaluation(critic);
    const auto parameters = critic.parameters();
    const auto points =
        static_cast<int64_t>(std::llround(2 * kPlotEnd / kPlotStep)) + 1;
    const torch::Tensor x =
        torch::linspace(-kPlotEnd, kPlotEnd, points, torch::kDouble);
    const torch::Tensor with_origin =
        torch::cat({x, torch::zeros({1}, torch::kDouble)})
            .unsqueeze(1)
            .to(parameters[0].device());
    torch::Tensor y = critic.forward(with_origin).squeeze(1).cpu();
    y = y.narrow(0, 0, points) - y[points];
    CriticCurve curve;
    for (int64_t i = 0; i < points; ++i) {
      // Six digits are enough for a figure and keep records small.
      curve.x.push_back(std::round(x[i].item<double>() * 1e6) / 1e6);
      curve.value.push_back(std::round(y[i].item<double>() * 1e6) / 1e6 + 0.0);
    }
    curve.steepest =
        ((y.narrow(0, 1, points - 1) - y.narrow(0, 0, points - 1)).abs() /
         (x.narrow(0, 1, points - 1) - x.narrow(0, 0, points - 1)))
            .max()
            .item<double>();
    return curve;
  });
}

absl::StatusOr<RunOutcome> TrainCritic(const Variant& variant,
                                       const AbsoluteValueTraining& training,
                                       const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(Sequential critic,
                             MakeMlp(NetworkOf(variant, training)));
  const torch::Device device(context.device);
  critic->to(device);
  AggMo optimizer(critic->parameters(), AggMoOptions(training.learning_rate));
  RandomSource random(StreamSeed(context.seed, kTrainingStream));

  TrainingOptions options;
  options.steps = training.steps;
  options.learning_rate = training.learning_rate;
  options.schedule = training.schedule;
  options.max_grad_norm = training.max_grad_norm;
  options.report_every = std::max<int64_t>(1, training.steps / 10);
  options.checkpoint = context.checkpoint;

  TrainingHooks hooks;
  hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    const torch::Tensor p = Ends().Sample(training.batch_size, random);
    const torch::Tensor q = Origin().Sample(training.batch_size, random);
    // One forward pass: the constrained weights are computed once.
    const torch::Tensor values =
        critic->forward(torch::cat({p, q}).to(device)).squeeze(1);
    return DualWassersteinLoss(
        values.narrow(0, 0, training.batch_size),
        values.narrow(0, training.batch_size, training.batch_size));
  };
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(TrainingResult trained,
                             Train(*critic, optimizer, random, options, hooks));

  // In one dimension all norms are the absolute value, so the norm is the one
  // in which the constraint bounds the layers.
  const Norm norm = variant.constraint == ConstraintKind::kLinfProjection ||
                            variant.constraint == ConstraintKind::kLinfRows
                        ? Norm::kLinf
                        : Norm::kL2;
  RandomSource test(StreamSeed(context.seed, kTestStream));
  const torch::Tensor half = Ends().Sample(training.test_samples / 2, test);
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const DualEstimate estimate,
      EstimateWithCritic(
          *critic, torch::cat({half, -half}).to(device),
          Origin().Sample(training.test_samples, test).to(device), norm));
  LIPSCHITZ_ASSIGN_OR_RETURN(const CriticCurve curve, EvaluateCritic(*critic));

  RunOutcome outcome;
  outcome.metrics = {{"wasserstein_estimate", estimate.value},
                     {"standard_error", estimate.standard_error},
                     {"wasserstein_exact", kExactDistance}};
  outcome.curves = {{"critic", {{"x", curve.x}, {"value", curve.value}}}};
  outcome.lipschitz =
      LipschitzRecord{norm, estimate.lipschitz_constant, curve.steepest};
  outcome.SetTraining(trained);
  const bool constrained = variant.constraint != ConstraintKind::kNone &&
                           variant.constraint != ConstraintKind::kParseval;
  if (constrained) {
    outcome.verdict = ExpectUnitConstant(estimate.lipschitz_constant);
  }
  outcome.verdict.Update(ExpectEstimateWithin(
      estimate.value, estimate.lipschitz_constant, kExactDistance));
  return outcome;
}

std::string Text(const Json& variant, const char* key) {
  const Json& value = variant.at(key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

AbsoluteValueTraining AbsoluteValueTraining::ForPreset(Preset preset) {
  AbsoluteValueTraining training;
  training.schedule.kind = ScheduleKind::kCosine;
  switch (preset) {
    case Preset::kSmoke:
      training.width = 16;
      training.steps = 60;
      training.test_samples = 1000;
      break;
    case Preset::kQuick:
      break;
    case Preset::kPaper:
      training.width = 128;
      training.steps = 3600;
      training.batch_size = 32;
      break;
  }
  return training;
}

absl::StatusOr<std::vector<Run>> AbsoluteValueExperiment::Plan(
    const CommonSettings& common) const {
  const Preset preset = common.preset;
  const AbsoluteValueTraining standard =
      AbsoluteValueTraining::ForPreset(preset);
  AbsoluteValueTraining training = standard;
  training.width = settings_.width.value_or(standard.width);
  training.steps = settings_.steps.value_or(standard.steps);
  training.batch_size = settings_.batch_size.value_or(standard.batch_size);
  training.learning_rate =
      settings_.learning_rate.value_or(standard.learning_rate);
  training.rescale_raw = settings_.rescale_raw.value_or(standard.rescale_raw);
  if (training.batch_size < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "batch_size must be at least 1, got ", training.batch_size));
  }
  if (training.steps < 1 || !(training.learning_rate > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps and learning_rate must be positive, got ",
                     training.steps, " and ", training.learning_rate));
  }

  std::vector<Run> runs;
  for (const std::string& constraint_name : settings_.constraints) {
    for (const int64_t hidden_layers : settings_.hidden_layers) {
      for (const std::string& activation_name : settings_.activations) {
        Variant variant;
        LIPSCHITZ_ASSIGN_OR_RETURN(variant.activation,
                                   ParseActivation(activation_name));
        LIPSCHITZ_ASSIGN_OR_RETURN(variant.constraint,
                                   ParseConstraint(constraint_name));
        if (hidden_layers < 1 || hidden_layers > 1000) {
          return absl::InvalidArgumentError(absl::StrCat(
              "hidden_layers must be between 1 and 1000, got ", hidden_layers));
        }
        variant.hidden_layers = hidden_layers;
        LIPSCHITZ_RETURN_IF_ERROR(WithContext(
            NetworkOf(variant, training).Validate(), activation_name));

        Run run;
        run.variant = {{"activation", variant.activation.Name()},
                       {"constraint", constraint_name},
                       {"hidden_layers", hidden_layers}};
        run.label = absl::StrCat(activation_name, " ", constraint_name, " ",
                                 hidden_layers, " hidden");
        run.config = ConfigOf(variant, training);
        run.slug = MakeSlug(absl::StrCat(constraint_name, "-", hidden_layers,
                                         "x-", variant.activation.Name()),
                            preset, ConfigOf(variant, standard), &run.config);
        for (const Run& other : runs) {
          if (other.slug != run.slug) continue;
          return absl::InvalidArgumentError(
              absl::StrCat("the variant '", run.label, "' is listed twice"));
        }
        run.execute = [variant, training](const RunContext& context) {
          return TrainCritic(variant, training, context);
        };
        runs.push_back(std::move(run));
      }
    }
  }
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: --activation, --constraint and --hidden_layers each "
        "need at least one value");
  }
  return runs;
}

Table AbsoluteValueExperiment::MakeTable(
    const std::vector<Record>& records) const {
  Table table;
  table.title = "W1 between 0 and ±1";
  table.columns = {{"constraint"},
                   {"hidden layers"},
                   {"activation"},
                   {"estimate", {5, true}, Better::kHigher},
                   {"exact", {1, false}},
                   {"K", {7, false}},
                   {"steepest slope", {5, false}}};
  AddCostColumns(1, &table);
  std::vector<VariantRecords> groups = GroupByVariant(records);
  // By constraint and depth, then in the order of the activations' listing.
  const AbsoluteValueSettings order;
  const auto rank = [](const std::vector<std::string>& names,
                       const std::string& name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  std::stable_sort(
      groups.begin(), groups.end(),
      [&](const VariantRecords& a, const VariantRecords& b) {
        const auto key = [&](const VariantRecords& group) {
          return std::make_tuple(
              rank(order.constraints, Text(group.variant, "constraint")),
              group.variant.at("hidden_layers").get<int64_t>(),
              rank(order.activations, Text(group.variant, "activation")));
        };
        return key(a) < key(b);
      });
  for (const VariantRecords& group : groups) {
    table.rows.push_back({Text(group.variant, "constraint"),
                          Text(group.variant, "hidden_layers"),
                          Text(group.variant, "activation"),
                          SummariseMetric(group, "wasserstein_estimate"),
                          SummariseMetric(group, "wasserstein_exact"),
                          SummariseUpperBound(group),
                          SummariseLowerBound(group)});
    AddCostCells(group, &table.rows.back());
  }
  table.notes = {absl::StrCat(
      "Estimate: (mean over ±1 − mean at 0) of the critic on fresh samples, "
      "divided by the proven constant K; mean ± standard deviation over seeds. "
      "Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

std::optional<std::string> AbsoluteValueExperiment::MetricFor(
    const Anchor& anchor, const Record& record) const {
  if (anchor.metric != "wasserstein") return std::nullopt;
  if (anchor.kind == "upper bound" &&
      (record.variant.value("activation", "") != "relu" ||
       record.variant.value("hidden_layers", 0) != 1)) {
    return std::nullopt;
  }
  return "wasserstein_estimate";
}

absl::Status AbsoluteValueExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));

  // One figure per constraint: a panel per activation, a line per depth, of the
  // first seed there is.
  static const std::vector<std::string> kDepthColours = {"#0072B2", "#E69F00",
                                                         "#009E73"};
  std::vector<std::string> constraints;
  for (const Record& record : records) {
    const std::string constraint = Text(record.variant, "constraint");
    if (std::find(constraints.begin(), constraints.end(), constraint) ==
        constraints.end()) {
      constraints.push_back(constraint);
    }
  }
  const AbsoluteValueSettings order;
  for (const std::string& constraint : constraints) {
    Figure figure;
    figure.title = absl::StrCat("Learned critics of 0 against ±1, constraint ",
                                constraint);
    figure.columns = 4;
    for (const std::string& activation : order.activations) {
      Panel panel;
      panel.title = activation;
      panel.x = {"x", -kPlotEnd, kPlotEnd};
      panel.y = {"f(x) − f(0)", -0.2, 1.5};
      panel.series.push_back({"|x|",
                              {-kPlotEnd, 0.0, kPlotEnd},
                              {kPlotEnd, 0.0, kPlotEnd},
                              "#c0c0c0",
                              LineStyle::kSolid,
                              7.0});
      for (const VariantRecords& group : GroupByVariant(records)) {
        if (group.ok.empty() ||
            Text(group.variant, "constraint") != constraint ||
            Text(group.variant, "activation") != activation) {
          continue;
        }
        const int64_t depth = group.variant.at("hidden_layers").get<int64_t>();
        const Json& critic = group.ok[0]->curves.at("critic");
        panel.series.push_back({absl::StrCat(depth, " hidden"),
                                critic.at("x").get<std::vector<double>>(),
                                critic.at("value").get<std::vector<double>>(),
                                kDepthColours[static_cast<size_t>(depth - 1) %
                                              kDepthColours.size()],
                                LineStyle::kSolid, 1.5});
      }
      if (panel.series.size() > 1) figure.panels.push_back(std::move(panel));
    }
    if (figure.panels.empty()) continue;
    LIPSCHITZ_RETURN_IF_ERROR(
        WriteFigure(results_dir, absl::StrCat(stem, "_", constraint), figure));
  }
  return absl::OkStatus();
}

}  // namespace lipschitz::experiments
