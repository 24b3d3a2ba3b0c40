// The flags of programs whose runs are critics (CriticExperiment). Linked into
// programs only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "experiments/common/critic_experiment.h"
#include "experiments/common/flags.h"
#include "experiments/common/main.h"

namespace lipschitz::experiments {

// --problem, --activation, --constraint, --hidden, --steps, --batch_size,
// --learning_rate and --optimizer. InvalidArgument names the flag.
absl::StatusOr<CriticSettings> CriticSettingsFromFlags();

// The whole main of the program that runs a CriticExperiment.
template <typename SomeCriticExperiment>
int CriticMain(int argc, char** argv, const std::string& usage) {
  ParseFlags(argc, argv, usage);
  const auto common = CommonSettingsFromFlags();
  if (!common.ok()) return ReportError(common.status());
  const auto settings = CriticSettingsFromFlags();
  if (!settings.ok()) return ReportError(settings.status());
  return RunExperiment(SomeCriticExperiment(*settings), *common);
}

}  // namespace lipschitz::experiments
