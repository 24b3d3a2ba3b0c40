// bazel run //experiments/function_fitting -- --preset=quick --seed=0
#include "experiments/common/main.h"

#include <gflags/gflags.h>

#include <string>

#include "absl/status/statusor.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/flags.h"
#include "experiments/function_fitting/function_fitting.h"
#include "lipschitz/base/status.h"
#include "lipschitz/optim/optimizer.h"

DEFINE_string(function, "",
              "Functions, separated by commas: triangleN and randomN with N "
              "pieces, sine, distance_l2, distance_linf, peak_l2, peak_linf; "
              "empty: the preset's.");
DEFINE_string(constraint, "",
              "Constraints, separated by commas: of every layer, or "
              "l2_to_linf for the first and linf_rows for the others; empty: "
              "the preset's.");
DEFINE_string(activation, "",
              "Activations, separated by commas; empty: the preset's.");
DEFINE_string(width, "",
              "Neurons per hidden layer, separated by commas; empty: the "
              "preset's.");
DEFINE_string(hidden_layers, "",
              "Numbers of hidden layers, separated by commas; empty: the "
              "preset's.");
DEFINE_int64(steps, 0, "Optimiser steps; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_double(loss_power, 0.0,
              "p of the loss, the p-norm of the errors; 0: the preset's.");
DEFINE_string(optimizer, "",
              "adam, aggmo, muon or fast_muon; empty: the preset's.");
DEFINE_int64(fresh_points, -1,
             "Points that every step draws in place of the grid's; 0: the "
             "grid; -1: the preset's.");
DEFINE_int64(candidates, 0,
             "Draw so many times --fresh_points and keep the worst; 0: the "
             "preset's.");
DEFINE_int64(starts, 0,
             "Networks to train; the best on random points is kept; 0: the "
             "preset's.");

namespace lipschitz::experiments {
namespace {

absl::StatusOr<FunctionFittingSettings> SettingsFromFlags() {
  FunctionFittingSettings settings;
  settings.replaced.functions = SplitList(FLAGS_function);
  settings.replaced.constraints = SplitList(FLAGS_constraint);
  settings.replaced.activations = SplitList(FLAGS_activation);
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.replaced.widths,
                             SplitIntegers("width", FLAGS_width));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      settings.replaced.hidden_layers,
      SplitIntegers("hidden_layers", FLAGS_hidden_layers));
  if (FLAGS_steps != 0) settings.steps = FLAGS_steps;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (FLAGS_loss_power != 0.0) settings.loss_power = FLAGS_loss_power;
  if (!FLAGS_optimizer.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(settings.optimizer,
                               ParseOptimizer(FLAGS_optimizer));
  }
  if (FLAGS_fresh_points != -1) settings.fresh_points = FLAGS_fresh_points;
  if (FLAGS_candidates != 0) settings.candidates = FLAGS_candidates;
  if (FLAGS_starts != 0) settings.starts = FLAGS_starts;
  return settings;
}

int Main() {
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = SettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(FunctionFittingExperiment(*settings), *common);
}

}  // namespace
}  // namespace lipschitz::experiments

int main(int argc, char** argv) {
  lipschitz::experiments::ParseFlags(
      argc, argv,
      "Fits networks of proven Lipschitz constant 1 to 1-Lipschitz functions.");
  return lipschitz::experiments::Main();
}
