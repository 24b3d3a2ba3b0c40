#include "experiments/common/critic_flags.h"

#include <gflags/gflags.h>

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/common/flag_lists.h"
#include "lipschitz/base/status.h"
#include "lipschitz/optim/optimizer.h"

DEFINE_string(problem, "all",
              "Problems, by the first column of the table, separated by "
              "commas, or all.");
DEFINE_string(activation, "all", "Activations, separated by commas, or all.");
DEFINE_string(constraint, "all", "Constraints, separated by commas, or all.");
DEFINE_string(hidden, "",
              "Widths of the hidden layers, separated by commas; empty: the "
              "preset's.");
DEFINE_int64(steps, 0, "Optimiser steps; 0: the preset's.");
DEFINE_int64(batch_size, 0,
             "Samples of each distribution per step; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_string(optimizer, "",
              "adam, aggmo, muon or fast_muon; empty: the preset's.");

namespace lipschitz::experiments {
namespace {

std::vector<std::string> Names(const std::string& list) {
  return list == "all" ? std::vector<std::string>{} : SplitList(list);
}

}  // namespace

absl::StatusOr<CriticSettings> CriticSettingsFromFlags() {
  CriticSettings settings;
  settings.problems = Names(FLAGS_problem);
  settings.activations = Names(FLAGS_activation);
  settings.constraints = Names(FLAGS_constraint);
  if (!FLAGS_hidden.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(settings.hidden,
                               SplitIntegers("hidden", FLAGS_hidden));
  }
  if (FLAGS_steps != 0) settings.steps = FLAGS_steps;
  if (FLAGS_batch_size != 0) settings.batch_size = FLAGS_batch_size;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (!FLAGS_optimizer.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(settings.optimizer,
                               ParseOptimizer(FLAGS_optimizer));
  }
  return settings;
}

}  // namespace lipschitz::experiments
