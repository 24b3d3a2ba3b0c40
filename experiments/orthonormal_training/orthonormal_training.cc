#include "experiments/orthonormal_training/orthonormal_training.h"

#include <torch/optim/adam.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "experiments/common/cost.h"
#include "experiments/common/figure.h"
#include "experiments/common/verdict.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/layers/linear.h"
#include "lipschitz/linalg/gram.h"
#include "lipschitz/losses/margin.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

// Neighbouring shells are at distance 1.
const double kLargestMargin = std::sqrt(0.5);
// The margin of the loss; above what can be reached, so that all points count.
constexpr double kLossMargin = 1.0;
// At which the certified accuracy is taken; at most half of the points of any
// classifier can have a radius above 1/2.
constexpr double kRadius = 0.3;
// More than this above the largest margin, and the run fails.
constexpr double kMarginAllowance = 1e-6;

// The independent generator of the data; the default one initialises weights.
constexpr uint64_t kTrainingStream = 1;
constexpr uint64_t kTestStream = 2;

struct Variant {
  std::string constraint;
  ActivationSpec activation;
};

absl::StatusOr<MlpConfig> NetworkOf(const Variant& variant,
                                    const OrthonormalTraining& training) {
  MlpConfig network;
  network.input_dim = training.dim;
  network.hidden = training.hidden;
  network.output_dim = training.classes;
  network.activation = variant.activation;
  const bool ambient = variant.constraint == "stiefel_ambient";
  LIPSCHITZ_ASSIGN_OR_RETURN(
      network.constraint.kind,
      ParseConstraint(ambient ? "stiefel" : variant.constraint));
  network.constraint.project_gradient = !ambient;
  LIPSCHITZ_RETURN_IF_ERROR(network.Validate());
  return network;
}

Json ConfigOf(const OrthonormalTraining& training) {
  return {{"version", kVersion},
          {"dim", training.dim},
          {"classes", training.classes},
          {"hidden", training.hidden},
          {"steps", training.steps},
          {"batch_size", training.batch_size},
          {"optimizer", "adam"},
          {"learning_rate", training.learning_rate},
          {"schedule", ScheduleName(training.schedule.kind)},
          {"loss_margin", kLossMargin},
          {"test_directions", training.test_directions}};
}

// (samples, dim) directions and the shells' points on them.
torch::Tensor Directions(const OrthonormalTraining& training, int64_t samples,
                         const RandomSource& random) {
  return SphericalShells{training.dim, 1.0, {0.0}}.Sample(samples, random);
}

// The largest ‖Gram − I‖_F of a weight as it is applied in training.
absl::StatusOr<double> LargestDefect(LayerImpl& network) {
  torch::NoGradGuard no_grad;
  double largest = 0.0;
  for (const auto& module : network.modules(/*include_self=*/false)) {
    auto* const layer = module->as<LinearImpl>();
    if (layer == nullptr) continue;
    LIPSCHITZ_ASSIGN_OR_RETURN(const torch::Tensor weight,
                               layer->ConstrainedWeight());
    largest = std::max(largest, OrthonormalityDefect(weight));
  }
  return largest;
}

struct TestResult {
  double accuracy = 0.0;
  double mean_margin = 0.0;  // divided by K
  double certified_accuracy = 0.0;
};

// On every shell's point of the same directions, in float64: the margins at two
// neighbours x and x' of one direction add up to √2 K ‖x − x'‖ at most, so that
// with an even number of shells the mean margin is at most K/√2.
absl::StatusOr<TestResult> Evaluate(LayerImpl& network,
                                    const OrthonormalTraining& training,
                                    double lipschitz_constant,
                                    const RunContext& context) {
  return CatchTorch("evaluation", [&] {
    torch::NoGradGuard no_grad;
    const Float64Evaluation evaluation(network);
    const RandomSource random(StreamSeed(context.seed, kTestStream));
    const torch::Tensor directions =
        Directions(training, training.test_directions, random)
            .to(torch::kDouble);
    std::vector<torch::Tensor> margins;
    for (int64_t shell = 0; shell < training.classes; ++shell) {
      const torch::Tensor x =
          (directions * static_cast<double>(shell + 1)).to(context.device);
      margins.push_back(LogitMargins(
          network.forward(x),
          torch::full({x.size(0)}, shell,
                      torch::TensorOptions(torch::kLong).device(x.device()))));
    }
    const torch::Tensor margin = torch::cat(margins) / lipschitz_constant;
    TestResult result;
    result.accuracy = (margin > 0).to(torch::kDouble).mean().item<double>();
    result.mean_margin = margin.mean().item<double>();
    // A difference of two logits has the constant √2 K.
    result.certified_accuracy = (margin >= std::sqrt(2.0) * kRadius)
                                    .to(torch::kDouble)
                                    .mean()
                                    .item<double>();
    return result;
  });
}

absl::StatusOr<RunOutcome> TrainClassifier(const Variant& variant,
                                           const OrthonormalTraining& training,
                                           const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const MlpConfig config,
                             NetworkOf(variant, training));
  LIPSCHITZ_ASSIGN_OR_RETURN(Sequential network, MakeMlp(config));
  const torch::Device device(context.device);
  network->to(device);
  torch::optim::Adam optimizer(
      network->parameters(), torch::optim::AdamOptions(training.learning_rate));
  RandomSource random(StreamSeed(context.seed, kTrainingStream));

  TrainingOptions options;
  options.steps = training.steps;
  options.learning_rate = training.learning_rate;
  options.schedule = training.schedule;
  options.report_every = std::max<int64_t>(1, training.steps / 20);
  options.checkpoint = context.checkpoint;

  TrainingHooks hooks;
  hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    const torch::Tensor directions =
        Directions(training, training.batch_size, random);
    const torch::Tensor shell =
        torch::randint(training.classes, {training.batch_size},
                       random.generator(), torch::kLong);
    const torch::Tensor x =
        directions * (shell + 1).to(torch::kFloat).unsqueeze(1);
    return MultiMarginLoss(network->forward(x.to(device)), shell.to(device),
                           kLossMargin);
  };
  hooks.report = [&](int64_t) -> absl::StatusOr<Metrics> {
    LIPSCHITZ_ASSIGN_OR_RETURN(const double defect, LargestDefect(*network));
    return Metrics{{"orthonormality_defect", defect}};
  };
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const TrainingResult trained,
      Train(*network, optimizer, random, options, hooks));

  network->eval();
  LIPSCHITZ_ASSIGN_OR_RETURN(const double constant,
                             network->LipschitzBound(Norm::kL2));
  LIPSCHITZ_ASSIGN_OR_RETURN(const double stored_defect,
                             LargestDefect(*network));
  LIPSCHITZ_ASSIGN_OR_RETURN(const TestResult test,
                             Evaluate(*network, training, constant, context));

  double largest_defect = 0.0;
  for (const HistoryEntry& entry : trained.history) {
    largest_defect =
        std::max(largest_defect, entry.metrics.at("orthonormality_defect"));
  }
  RunOutcome outcome;
  outcome.metrics = {{"test_accuracy", test.accuracy},
                     {"mean_margin", test.mean_margin},
                     {"largest_margin", kLargestMargin},
                     {"certified_accuracy", test.certified_accuracy},
                     {"certified_radius", kRadius},
                     {"largest_defect", largest_defect},
                     {"final_defect", stored_defect}};
  // A pair of points that attains its quotient is not looked for here: the mean
  // margin over its largest value is a bound from below.
  outcome.lipschitz = LipschitzRecord{
      Norm::kL2, constant, constant * test.mean_margin / kLargestMargin};
  outcome.SetTraining(trained);
  outcome.verdict = ExpectUnitConstant(constant);
  // Written so that a value that is not a number fails too.
  if (!(test.mean_margin <= kLargestMargin + kMarginAllowance)) {
    outcome.verdict.Update(absl::FailedPreconditionError(absl::StrFormat(
        "certificate broken: the mean margin %.9f, divided by the proven K = "
        "%.9f, is above the largest possible one",
        test.mean_margin, constant)));
  }
  return outcome;
}

double Metric(const Record& record, const std::string& name) {
  const auto it = record.metrics.find(name);
  return it == record.metrics.end() ? std::nan("") : it->second;
}

double MillisecondsPerStep(const Record& record) {
  return 1000.0 * record.wall_seconds / record.config.at("steps").get<double>();
}

}  // namespace

OrthonormalTraining OrthonormalTraining::ForPreset(Preset preset) {
  OrthonormalTraining training;
  training.schedule.kind = ScheduleKind::kCosine;
  switch (preset) {
    case Preset::kSmoke:
      training.dim = 3;
      training.hidden = {16, 16};
      training.steps = 200;
      training.test_directions = 500;
      break;
    case Preset::kQuick:
      break;
    case Preset::kPaper:
      training.hidden = {256, 256, 256};
      training.steps = 5000;
      training.learning_rate = 0.003;
      break;
  }
  return training;
}

absl::StatusOr<std::vector<Run>> OrthonormalTrainingExperiment::Plan(
    const CommonSettings& common) const {
  const Preset preset = common.preset;
  const OrthonormalTraining standard = OrthonormalTraining::ForPreset(preset);
  OrthonormalTraining training = standard;
  training.steps = settings_.steps.value_or(standard.steps);
  training.learning_rate =
      settings_.learning_rate.value_or(standard.learning_rate);
  if (training.steps < 1 || !(training.learning_rate > 0.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps and learning_rate must be positive, got ",
                     training.steps, " and ", training.learning_rate));
  }
  std::vector<Run> runs;
  for (const std::string& constraint : settings_.constraints) {
    for (const std::string& activation : settings_.activations) {
      Variant variant;
      variant.constraint = constraint;
      LIPSCHITZ_ASSIGN_OR_RETURN(variant.activation,
                                 ParseActivation(activation));
      LIPSCHITZ_RETURN_IF_ERROR(NetworkOf(variant, training).status());

      Run run;
      run.variant = {{"constraint", constraint},
                     {"activation", variant.activation.Name()}};
      run.label = absl::StrCat(constraint, " ", activation);
      run.config = ConfigOf(training);
      run.slug =
          MakeSlug(absl::StrCat(constraint, "-", variant.activation.Name()),
                   preset, ConfigOf(standard), &run.config);
      for (const Run& other : runs) {
        if (other.slug != run.slug) continue;
        return absl::InvalidArgumentError(
            absl::StrCat("the variant '", run.label, "' is listed twice"));
      }
      run.execute = [variant, training](const RunContext& context) {
        return TrainClassifier(variant, training, context);
      };
      runs.push_back(std::move(run));
    }
  }
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: --constraint and --activation each need at least one "
        "value");
  }
  return runs;
}

Table OrthonormalTrainingExperiment::MakeTable(
    const std::vector<Record>& records) const {
  Table table;
  table.title = "Concentric shells under orthonormal weights";
  table.columns = {
      {"activation"},
      {"constraint"},
      {"test accuracy", {4, true}, Better::kHigher},
      {"mean margin", {4, true}, Better::kHigher},
      {"largest possible", {4, false}},
      {absl::StrFormat("certified at %g", kRadius), {4, true}, Better::kHigher},
      {"K", {7, false}},
      {"defect in training"},
      {"defect as stored"},
      {"ms per step", {2, false}, Better::kLower}};
  AddCostColumns(1, &table);
  const std::vector<VariantRecords> groups = GroupByVariant(records);
  const auto largest = [](const VariantRecords& group, const char* metric) {
    double value = 0.0;
    for (const Record* record : group.ok) {
      value = std::max(value, Metric(*record, metric));
    }
    return absl::StrFormat("%.0e", value);
  };
  const OrthonormalTrainingSettings order;
  for (const std::string& activation : order.activations) {
    for (const std::string& constraint : order.constraints) {
      for (const VariantRecords& group : groups) {
        if (group.variant.at("activation") != activation ||
            group.variant.at("constraint") != constraint) {
          continue;
        }
        table.rows.push_back(
            {activation, constraint, SummariseMetric(group, "test_accuracy"),
             SummariseMetric(group, "mean_margin"),
             SummariseMetric(group, "largest_margin"),
             SummariseMetric(group, "certified_accuracy"),
             SummariseUpperBound(group), largest(group, "largest_defect"),
             largest(group, "final_defect"),
             SummariseRecords(group, MillisecondsPerStep)});
        AddCostCells(group, &table.rows.back());
      }
    }
  }
  table.notes = {absl::StrCat(
      "Mean margin: of the logits on fresh points, divided by the proven K; "
      "mean ± standard deviation over seeds. Defect: the largest ‖WᵀW − I‖_F "
      "over layers, reports and seeds. Preset: ",
      records.empty() ? "none" : records[0].preset, ".")};
  return table;
}

absl::Status OrthonormalTrainingExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  LIPSCHITZ_RETURN_IF_ERROR(WriteTable(results_dir, stem, MakeTable(records)));
  static const std::vector<std::string> kColours = {"#0072B2", "#E69F00",
                                                    "#009E73", "#CC79A7"};
  static const std::vector<LineStyle> kStyles = {
      LineStyle::kSolid, LineStyle::kDashed, LineStyle::kSolid,
      LineStyle::kDotted};
  // Loss and defect over the training with MaxMin, of the first seed there is.
  Panel loss;
  loss.title = "loss";
  loss.x = {"step"};
  loss.y = {"multi-class hinge loss", 0.0, 0.0};
  Panel defect;
  defect.title = "distance from orthonormality";
  defect.x = {"step"};
  defect.y = {"largest ‖WᵀW − I‖ of a layer", 0.0, 0.0, /*logarithmic=*/true};
  const OrthonormalTrainingSettings order;
  for (size_t k = 0; k < order.constraints.size(); ++k) {
    for (const VariantRecords& group : GroupByVariant(records)) {
      if (group.ok.empty() ||
          group.variant.at("constraint") != order.constraints[k] ||
          group.variant.at("activation") != "maxmin") {
        continue;
      }
      Series series;
      series.label = order.constraints[k];
      series.colour = kColours[k % kColours.size()];
      series.style = kStyles[k % kStyles.size()];
      Series defects = series;
      for (const HistoryEntry& entry : group.ok[0]->history) {
        series.x.push_back(static_cast<double>(entry.step));
        series.y.push_back(entry.metrics.at("loss"));
        defects.x.push_back(static_cast<double>(entry.step));
        defects.y.push_back(entry.metrics.at("orthonormality_defect"));
      }
      loss.series.push_back(std::move(series));
      defect.series.push_back(std::move(defects));
    }
  }
  if (loss.series.empty()) return absl::OkStatus();
  Figure figure;
  figure.title = "Concentric shells, MaxMin: three ways to orthonormal weights";
  figure.columns = 2;
  figure.panels = {std::move(loss), std::move(defect)};
  return WriteFigure(results_dir, stem, figure);
}

}  // namespace lipschitz::experiments
