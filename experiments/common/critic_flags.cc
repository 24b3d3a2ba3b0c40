#include "experiments/common/critic_flags.h"

#include <gflags/gflags.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lipschitz/base/status.h"

DEFINE_string(activation, "all", "Activations, separated by commas, or all.");
DEFINE_string(constraint, "all", "Constraints, separated by commas, or all.");
DEFINE_string(hidden, "",
              "Widths of the hidden layers, separated by commas; empty: the "
              "preset's.");
DEFINE_int64(steps, 0, "Optimiser steps; 0: the preset's.");
DEFINE_int64(batch_size, 0,
             "Samples of each distribution per step; 0: the preset's.");
DEFINE_double(learning_rate, 0.0, "Initial learning rate; 0: the preset's.");
DEFINE_string(optimizer, "", "adam or aggmo; empty: the preset's.");

namespace lipschitz::experiments {
namespace {

std::vector<std::string> Names(const std::string& list) {
  if (list == "all") return {};
  return absl::StrSplit(list, ',', absl::SkipWhitespace());
}

}  // namespace

absl::StatusOr<CriticSettings> CriticSettingsFromFlags() {
  CriticSettings settings;
  settings.activations = Names(FLAGS_activation);
  settings.constraints = Names(FLAGS_constraint);
  if (!FLAGS_hidden.empty()) {
    std::vector<int64_t> hidden;
    for (const std::string& word : Names(FLAGS_hidden)) {
      int64_t width = 0;
      if (!absl::SimpleAtoi(word, &width)) {
        return absl::InvalidArgumentError(
            absl::StrCat("--hidden: '", word, "' is not a whole number"));
      }
      hidden.push_back(width);
    }
    settings.hidden = hidden;
  }
  if (FLAGS_steps != 0) settings.steps = FLAGS_steps;
  if (FLAGS_batch_size != 0) settings.batch_size = FLAGS_batch_size;
  if (FLAGS_learning_rate != 0.0) settings.learning_rate = FLAGS_learning_rate;
  if (!FLAGS_optimizer.empty()) {
    LIPSCHITZ_ASSIGN_OR_RETURN(settings.optimizer,
                               ParseCriticOptimizer(FLAGS_optimizer));
  }
  return settings;
}

}  // namespace lipschitz::experiments
