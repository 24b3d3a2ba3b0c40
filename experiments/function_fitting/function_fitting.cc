#include "experiments/function_fitting/function_fitting.h"

#include <torch/types.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "experiments/common/verdict.h"
#include "experiments/function_fitting/grid.h"
#include "experiments/function_fitting/report.h"
#include "experiments/function_fitting/target.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/float64_evaluation.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/training/schedule.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 1;

// Of the curve that a record keeps; every corner of triangle16 is one.
constexpr int64_t kCurvePoints = 129;
// Grid points that are evaluated at once.
constexpr int64_t kChunk = 16384;
// That a step draws.
constexpr int64_t kMostPoints = 1 << 20;

// The most starts of a run.
constexpr int64_t kMostStarts = 1000;
// Random points that choose among the starts.
constexpr int64_t kChoicePoints = 1 << 18;

constexpr uint64_t kTrainingStream = 2;
constexpr uint64_t kChoiceStream = 3;
// Of start i > 0, added to it: the training's points.
constexpr uint64_t kStartStream = 1000;

struct Variant {
  std::string function;
  // Of the function's domain.
  Norm norm = Norm::kL2;
  int64_t dim = 1;
  std::string constraint;
  ActivationSpec activation;
  int64_t width = 0;
  int64_t hidden_layers = 0;
};

constexpr char kMixed[] = "l2_to_linf";

// Whether networks under the constraint have the constant 1 from `norm`. The
// ones for linf are 1-Lipschitz from l2 too, the larger norm, but not universal
// there.
bool BoundsFrom(const std::string& constraint, Norm norm) {
  static const std::vector<std::string> kFromLinf = {"linf", "linf_rows"};
  static const std::vector<std::string> kFromL2 = {"bjorck", "stiefel", "polar",
                                                   "spectral", kMixed};
  const auto contains = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), constraint) != names.end();
  };
  return contains(kFromLinf) || (norm == Norm::kL2 && contains(kFromL2));
}

bool IsOrthonormal(const std::string& constraint) {
  return constraint == "stiefel" || constraint == "polar" ||
         constraint == "bjorck";
}

absl::StatusOr<MlpConfig> NetworkOf(const Variant& variant) {
  MlpConfig network;
  network.input_dim = variant.dim;
  network.hidden.assign(static_cast<size_t>(variant.hidden_layers),
                        variant.width);
  network.output_dim = 1;
  network.activation = variant.activation;
  if (variant.constraint == kMixed) {
    network.constraints.resize(network.hidden.size() + 1);
    for (ConstraintOptions& layer : network.constraints) {
      layer.kind = ConstraintKind::kLinfRows;
    }
    network.constraints[0].kind = ConstraintKind::kL2ToLinf;
  } else {
    LIPSCHITZ_ASSIGN_OR_RETURN(network.constraint.kind,
                               ParseConstraint(variant.constraint));
  }
  LIPSCHITZ_RETURN_IF_ERROR(network.Validate());
  return network;
}

Json ConfigOf(const FunctionFittingTraining& training) {
  Json config = {{"version", kVersion},
                 {"optimizer", OptimizerName(training.optimizer)},
                 {"steps", training.steps},
                 {"learning_rate", training.learning_rate},
                 {"schedule", ScheduleName(ScheduleKind::kCosine)},
                 {"loss_power", training.loss_power}};
  if (training.fresh_points > 0) {
    config["fresh_points"] = training.fresh_points;
    // Absent from records that are older than it.
    if (training.candidates > 1) config["candidates"] = training.candidates;
  } else {
    config["training_points"] = training.training_points;
  }
  // As these.
  if (training.starts > 1) config["starts"] = training.starts;
  config["test_points"] = training.test_points;
  return config;
}

// The network's values at the rows of x.
torch::Tensor ValuesAt(LayerImpl& network, const torch::Tensor& x) {
  return network.forward(x).squeeze(1);
}

// The points of a step of the training, and the function there.
class TrainingPoints {
 public:
  TrainingPoints(const Target& target, const FunctionFittingTraining& training,
                 const torch::Device& device)
      : target_(target),
        fresh_(training.fresh_points),
        candidates_(training.candidates),
        device_(device) {
    if (fresh_ == 0) {
      Set(Grid{target.box, training.training_points}.Points());
    }
  }

  // Draws fresh points, where it is asked to.
  void Next(LayerImpl& network, const RandomSource& random) {
    if (fresh_ == 0) return;
    const torch::Tensor unit =
        torch::rand({candidates_ * fresh_, target_.box.dim}, random.generator(),
                    torch::TensorOptions(torch::kDouble));
    Set(target_.box.lower + (target_.box.upper - target_.box.lower) * unit);
    if (candidates_ > 1) KeepTheWorst(network);
  }

  const torch::Tensor& x() const { return x_; }
  const torch::Tensor& y() const { return y_; }

 private:
  void Set(const torch::Tensor& points) {
    x_ = points.to(device_, torch::kFloat);
    y_ = target_.value(points).to(device_, torch::kFloat);
  }

  void KeepTheWorst(LayerImpl& network) {
    torch::NoGradGuard no_grad;
    const torch::Tensor error = (ValuesAt(network, x_) - y_).abs();
    const torch::Tensor worst = std::get<1>(error.topk(fresh_));
    x_ = x_.index_select(0, worst);
    y_ = y_.index_select(0, worst);
  }

  const Target& target_;
  int64_t fresh_;
  int64_t candidates_;
  torch::Device device_;
  torch::Tensor x_;
  torch::Tensor y_;
};

// (mean |error|^p)^{1/p}, scaled so that no power underflows.
torch::Tensor PowerLoss(const torch::Tensor& error, double p) {
  const torch::Tensor size = error.abs();
  const torch::Tensor scale =
      size.detach().max().clamp_min(std::numeric_limits<float>::min());
  return scale * (size / scale).norm(p) *
         std::pow(static_cast<double>(error.numel()), -1.0 / p);
}

// The same of many, in parts.
torch::Tensor Values(LayerImpl& network, const torch::Tensor& x) {
  std::vector<torch::Tensor> values;
  for (const torch::Tensor& part : x.split(kChunk)) {
    values.push_back(ValuesAt(network, part));
  }
  return torch::cat(values);
}

struct Evaluation {
  double lipschitz_constant = 0.0;
  FitError error;
  Json curve;
};

// Five decimals are enough for a figure and keep records small.
std::vector<double> Rounded(const torch::Tensor& values) {
  std::vector<double> rounded;
  for (int64_t i = 0; i < values.numel(); ++i) {
    rounded.push_back(std::round(values[i].item<double>() * 1e5) / 1e5 + 0.0);
  }
  return rounded;
}

absl::StatusOr<Evaluation> Evaluate(LayerImpl& network, const Target& target,
                                    const FunctionFittingTraining& training,
                                    const torch::Device& device) {
  return CatchTorch("evaluation", [&]() -> absl::StatusOr<Evaluation> {
    torch::NoGradGuard no_grad;
    const Float64Evaluation float64(network);
    Evaluation result;
    // With one output all norms of it are its absolute value.
    LIPSCHITZ_ASSIGN_OR_RETURN(
        result.lipschitz_constant,
        network.LipschitzBound(target.norm, Norm::kLinf));
    const Grid grid{target.box, training.test_points};
    const torch::Tensor x = grid.Points();
    result.error =
        MeasureFit(Values(network, x.to(device)).cpu(), target.value(x), grid,
                   target.norm, result.lipschitz_constant);
    if (target.box.dim == 1) {
      const torch::Tensor points = Grid{target.box, kCurvePoints}.Points();
      result.curve = {
          {"x", Rounded(points.squeeze(1))},
          {"value", Rounded(Values(network, points.to(device)).cpu())},
          {"target", Rounded(target.value(points))}};
    }
    return result;
  });
}

struct Trained {
  Sequential network{nullptr};
  TrainingResult result;
};

// The first start has the run's own checkpoint, the others one beside it, which
// the runner removes with it.
std::string CheckpointOf(const RunContext& context, int64_t start) {
  const std::string& path = context.checkpoint.path;
  return start == 0 || path.empty() ? path
                                    : absl::StrCat(path, "-start", start);
}

// A network whose weights come from LibTorch's default generator.
absl::StatusOr<Trained> TrainFrom(int64_t start, const MlpConfig& config,
                                  const Target& target,
                                  const FunctionFittingTraining& training,
                                  const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(Sequential network, MakeMlp(config));
  const torch::Device device(context.device);
  network->to(device);
  const std::unique_ptr<torch::optim::Optimizer> optimizer = MakeOptimizer(
      training.optimizer, network->parameters(), training.learning_rate);
  RandomSource random(StreamSeed(
      context.seed, start == 0 ? kTrainingStream
                               : kStartStream + static_cast<uint64_t>(start)));
  TrainingPoints points(target, training, device);

  TrainingOptions options;
  options.steps = training.steps;
  options.learning_rate = training.learning_rate;
  options.schedule.kind = ScheduleKind::kCosine;
  options.report_every = std::max<int64_t>(1, training.steps / 10);
  options.checkpoint = context.checkpoint;
  options.checkpoint.path = CheckpointOf(context, start);

  TrainingHooks hooks;
  hooks.loss = [&](int64_t) -> absl::StatusOr<torch::Tensor> {
    points.Next(*network, random);
    return PowerLoss(ValuesAt(*network, points.x()) - points.y(),
                     training.loss_power);
  };
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainingResult result,
      Train(*network, *optimizer, random, options, hooks));
  return Trained{network, std::move(result)};
}

// On random points, none of which the test is made of.
absl::StatusOr<double> LargestErrorOfChoice(LayerImpl& network,
                                            const Target& target,
                                            const RunContext& context) {
  return CatchTorch("choice of a start", [&] {
    torch::NoGradGuard no_grad;
    const Float64Evaluation float64(network);
    const RandomSource random(StreamSeed(context.seed, kChoiceStream));
    const torch::Tensor x =
        target.box.lower +
        (target.box.upper - target.box.lower) *
            torch::rand({kChoicePoints, target.box.dim}, random.generator(),
                        torch::TensorOptions(torch::kDouble));
    const torch::Tensor values =
        Values(network, x.to(torch::Device(context.device))).cpu();
    return (values - target.value(x)).abs().max().item<double>();
  });
}

// So that none is left of another training than the first start's.
void RemoveStarts(const RunContext& context,
                  const FunctionFittingTraining& training) {
  for (int64_t start = 1; start < training.starts; ++start) {
    unlink(CheckpointOf(context, start).c_str());
  }
}

struct BestStart {
  Trained trained;
  // Of every start, on random points; empty where there is only one.
  std::vector<double> errors;
  // Of all starts.
  double seconds = 0.0;
};

absl::StatusOr<BestStart> TrainTheBest(const MlpConfig& config,
                                       const Target& target,
                                       const FunctionFittingTraining& training,
                                       const RunContext& context) {
  BestStart best;
  double least = std::numeric_limits<double>::infinity();
  if (!context.checkpoint.resume) RemoveStarts(context, training);
  for (int64_t start = 0; start < training.starts; ++start) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        Trained trained, TrainFrom(start, config, target, training, context));
    best.seconds += trained.result.seconds;
    if (training.starts > 1) {
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const double error,
          LargestErrorOfChoice(*trained.network, target, context));
      best.errors.push_back(error);
      if (context.notice) {
        context.notice(absl::StrFormat(
            "start %d of %d: largest error %.4f on random points", start + 1,
            training.starts, error));
      }
      if (!(error < least)) continue;
      least = error;
    }
    best.trained = std::move(trained);
  }
  if (best.trained.network.is_empty()) {
    return absl::AbortedError("no start has values that are finite");
  }
  return best;
}

absl::StatusOr<RunOutcome> Fit(const Variant& variant,
                               const FunctionFittingTraining& training,
                               const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(const Target target,
                             MakeTarget(variant.function, context.seed));
  LIPSCHITZ_ASSIGN_OR_RETURN(const MlpConfig config, NetworkOf(variant));
  LIPSCHITZ_ASSIGN_OR_RETURN(BestStart best,
                             TrainTheBest(config, target, training, context));
  LIPSCHITZ_ASSIGN_OR_RETURN(const Evaluation evaluation,
                             Evaluate(*best.trained.network, target, training,
                                      torch::Device(context.device)));

  const double constant = evaluation.lipschitz_constant;
  const FitError& error = evaluation.error;
  RunOutcome outcome;
  outcome.metrics = {{"sup_error", error.sup_error},
                     {"sup_error_bound", error.sup_error_bound},
                     {"mean_squared_error", error.mean_squared_error}};
  if (!evaluation.curve.is_null()) outcome.curves["fit"] = evaluation.curve;
  if (!best.errors.empty()) {
    outcome.curves["starts"] = {{"largest_error", best.errors}};
  }
  outcome.lipschitz =
      LipschitzRecord{target.norm, constant, error.steepest_slope};
  outcome.SetTraining(best.trained.result);
  outcome.seconds = best.seconds;
  outcome.verdict = ExpectUnitConstant(constant);
  outcome.verdict.Update(ExpectSlopeWithin(error.steepest_slope, constant));
  return outcome;
}

std::vector<FunctionFittingGrid> GridsOf(Preset preset) {
  const std::vector<std::string> activations = {"relu", "abs", "maxmin",
                                                "groupsort4", "fullsort"};
  const std::vector<std::string> few = {"relu", "maxmin", "groupsort4"};
  const std::vector<std::string> on_the_line = {
      "triangle4", "triangle8", "triangle16", "random8", "sine"};
  const std::vector<std::string> on_the_square = {"distance_l2", "peak_l2",
                                                  "distance_linf", "peak_linf"};
  switch (preset) {
    case Preset::kSmoke:
      return {{{"triangle2", "peak_l2", "peak_linf"},
               {"stiefel", kMixed, "linf_rows"},
               {"relu", "groupsort4"},
               {8},
               {2}},
              {{"triangle2"}, {"stiefel"}, {"groupsort4"}, {4, 8}, {1, 2}}};
    case Preset::kQuick:
      return {{on_the_line, {"stiefel", "linf_rows"}, activations, {32}, {4}},
              {on_the_line, {"spectral"}, {"relu", "groupsort4"}, {32}, {4}},
              {on_the_square,
               {"stiefel", kMixed, "linf_rows"},
               {"relu", "abs", "maxmin", "groupsort4"},
               {32},
               {4}},
              {on_the_square, {"spectral"}, {"relu", "groupsort4"}, {32}, {4}},
              {{"sine"}, {"stiefel"}, few, {4, 8, 16, 32, 64}, {1, 2, 4}}};
    case Preset::kPaper:
      return {{on_the_line,
               {"stiefel", "polar", "spectral", "linf_rows"},
               activations,
               {64},
               {4}},
              {{"triangle32", "random16"},
               {"stiefel", "linf_rows"},
               activations,
               {64},
               {4}},
              {on_the_square, {"stiefel"}, activations, {64}, {8}},
              {{"distance_l2", "peak_l2", "distance_linf"},
               {"spectral", kMixed, "linf_rows"},
               activations,
               {64},
               {6}},
              {{"triangle16", "sine"},
               {"stiefel", "linf_rows"},
               few,
               {4, 8, 16, 32, 64, 128},
               {1, 2, 4, 6}}};
  }
  return {};
}

// Of functions that want a size of their own, which others are not fitted with.
std::vector<FunctionFittingGrid> OwnGridsOf(Preset preset) {
  if (preset != Preset::kPaper) return {};
  return {{{"peak_linf"},
           {"linf_rows"},
           {"relu", "abs", "maxmin", "groupsort4", "groupsort8", "fullsort"},
           {64},
           {10}}};
}

absl::Status Check(const FunctionFittingTraining& training) {
  if (training.steps < 1 || !(training.learning_rate > 0.0) ||
      !(training.loss_power >= 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps and learning_rate must be positive and loss_power "
                     "at least 1, got ",
                     training.steps, ", ", training.learning_rate, " and ",
                     training.loss_power));
  }
  if (training.starts < 1 || training.starts > kMostStarts) {
    return absl::InvalidArgumentError(
        absl::StrCat("starts must be between 1 and ", kMostStarts, ", got ",
                     training.starts));
  }
  // Neither product overflows.
  if (training.fresh_points < 0 || training.fresh_points > kMostPoints ||
      training.candidates < 1 || training.candidates > kMostPoints ||
      training.fresh_points * training.candidates > kMostPoints) {
    return absl::InvalidArgumentError(absl::StrCat(
        "fresh_points must be at least 0, candidates at least 1 and their "
        "product at most ",
        kMostPoints, ", got ", training.fresh_points, " and ",
        training.candidates));
  }
  if (training.fresh_points == 0 && training.candidates > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "candidates are of fresh points: candidates = ", training.candidates,
        " needs fresh_points above 0"));
  }
  return absl::OkStatus();
}

template <typename T>
void Replace(const std::vector<T>& by, std::vector<T>* values) {
  if (!by.empty()) *values = by;
}

// The preset's, with what is asked for in place of their values.
std::vector<FunctionFittingGrid> ReplacedGrids(
    Preset preset, const FunctionFittingGrid& replaced) {
  std::vector<FunctionFittingGrid> grids = GridsOf(preset);
  for (FunctionFittingGrid& grid : grids) {
    Replace(replaced.functions, &grid.functions);
  }
  for (FunctionFittingGrid grid : OwnGridsOf(preset)) {
    auto& functions = grid.functions;
    const auto is_left_out = [&](const std::string& function) {
      return !replaced.functions.empty() &&
             std::find(replaced.functions.begin(), replaced.functions.end(),
                       function) == replaced.functions.end();
    };
    functions.erase(
        std::remove_if(functions.begin(), functions.end(), is_left_out),
        functions.end());
    if (!functions.empty()) grids.push_back(std::move(grid));
  }
  for (FunctionFittingGrid& grid : grids) {
    Replace(replaced.constraints, &grid.constraints);
    Replace(replaced.activations, &grid.activations);
    Replace(replaced.widths, &grid.widths);
    Replace(replaced.hidden_layers, &grid.hidden_layers);
  }
  return grids;
}

// Every combination of a grid's values that can be fitted.
absl::StatusOr<std::vector<Variant>> VariantsOf(
    const FunctionFittingGrid& grid) {
  std::vector<Variant> variants;
  for (const std::string& function : grid.functions) {
    // The seed changes neither the norm nor the dimension.
    LIPSCHITZ_ASSIGN_OR_RETURN(const Target target,
                               MakeTarget(function, /*seed=*/0));
    for (const std::string& constraint : grid.constraints) {
      if (!BoundsFrom(constraint, target.norm)) continue;
      for (const std::string& activation : grid.activations) {
        LIPSCHITZ_ASSIGN_OR_RETURN(const ActivationSpec spec,
                                   ParseActivation(activation));
        for (const int64_t width : grid.widths) {
          for (const int64_t hidden_layers : grid.hidden_layers) {
            if (hidden_layers < 1 || hidden_layers > 1000) {
              return absl::InvalidArgumentError(
                  absl::StrCat("hidden_layers must be between 1 and 1000, got ",
                               hidden_layers));
            }
            variants.push_back({function, target.norm, target.box.dim,
                                constraint, spec, width, hidden_layers});
            LIPSCHITZ_RETURN_IF_ERROR(
                WithContext(NetworkOf(variants.back()).status(), activation));
          }
        }
      }
    }
  }
  return variants;
}

}  // namespace

FunctionFittingTraining FunctionFittingTraining::ForPreset(
    Preset preset, const std::string& function, int64_t dim,
    const std::string& constraint) {
  FunctionFittingTraining training;
  const bool line = dim == 1;
  switch (preset) {
    case Preset::kSmoke:
      training.steps = 30;
      training.training_points = line ? 65 : 9;
      training.fresh_points = line ? 0 : 32;
      training.test_points = line ? 1025 : 65;
      break;
    case Preset::kQuick:
      training.steps = line ? 3000 : 2000;
      training.training_points = line ? 257 : 33;
      training.fresh_points = line ? 0 : 128;
      training.test_points = line ? 8193 : 401;
      break;
    case Preset::kPaper:
      training.steps = line ? 10000 : 5000;
      training.training_points = line ? 513 : 49;
      training.fresh_points = line ? 0 : 512;
      training.test_points = line ? 32769 : 801;
      break;
  }
  if (line) return training;
  training.candidates = 8;
  if (IsOrthonormal(constraint)) {
    training.optimizer = OptimizerKind::kMuon;
    training.learning_rate = 0.05;
    training.loss_power = 8.0;
    if (preset == Preset::kPaper) {
      training.steps = 20000;
      training.learning_rate = 0.01;
      training.fresh_points = 2048;
      training.candidates = 4;
    }
  } else {
    training.learning_rate =
        preset == Preset::kPaper && constraint == "linf_rows" ? 0.003 : 0.01;
    // Which pieces the maximum is made of is settled early in the training.
    if (preset == Preset::kPaper && function == "peak_linf") {
      training.steps = 20000;
      training.starts = 4;
    }
  }
  return training;
}

absl::StatusOr<std::vector<Run>> FunctionFittingExperiment::Plan(
    const CommonSettings& common) const {
  std::vector<Run> runs;
  for (const FunctionFittingGrid& grid :
       ReplacedGrids(common.preset, settings_.replaced)) {
    LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<Variant> variants,
                               VariantsOf(grid));
    for (const Variant& variant : variants) {
      const FunctionFittingTraining standard =
          FunctionFittingTraining::ForPreset(common.preset, variant.function,
                                             variant.dim, variant.constraint);
      FunctionFittingTraining training = standard;
      training.steps = settings_.steps.value_or(standard.steps);
      training.learning_rate =
          settings_.learning_rate.value_or(standard.learning_rate);
      training.optimizer = settings_.optimizer.value_or(standard.optimizer);
      training.loss_power = settings_.loss_power.value_or(standard.loss_power);
      training.fresh_points =
          settings_.fresh_points.value_or(standard.fresh_points);
      training.candidates = settings_.candidates.value_or(
          training.fresh_points > 0 ? standard.candidates : 1);
      training.starts = settings_.starts.value_or(standard.starts);
      LIPSCHITZ_RETURN_IF_ERROR(Check(training));
      Run run;
      run.variant = {{"function", variant.function},
                     {"norm", NormName(variant.norm)},
                     {"constraint", variant.constraint},
                     {"activation", variant.activation.Name()},
                     {"width", variant.width},
                     {"hidden_layers", variant.hidden_layers}};
      const std::string size =
          absl::StrCat(variant.hidden_layers, "x", variant.width);
      run.label = absl::StrCat(variant.function, " ", variant.constraint, " ",
                               variant.activation.Name(), " ", size);
      run.config = ConfigOf(training);
      run.slug =
          MakeSlug(absl::StrCat(variant.function, "-", variant.constraint, "-",
                                variant.activation.Name(), "-", size),
                   common.preset, ConfigOf(standard), &run.config);
      // The preset's grids have variants in common.
      if (std::any_of(runs.begin(), runs.end(), [&](const Run& other) {
            return other.slug == run.slug;
          })) {
        continue;
      }
      run.execute = [variant, training](const RunContext& context) {
        return Fit(variant, training, context);
      };
      runs.push_back(std::move(run));
    }
  }
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: no constraint that was asked for bounds a network in "
        "the norm of a function; for l2: bjorck, stiefel, polar, spectral, "
        "l2_to_linf, linf, linf_rows, for linf: linf, linf_rows");
  }
  return runs;
}

Table FunctionFittingExperiment::MakeTable(
    const std::vector<Record>& records) const {
  return FittingTable(records);
}

absl::Status FunctionFittingExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  return WriteFittingReport(results_dir, stem, records);
}

}  // namespace lipschitz::experiments
