#include "experiments/common/flags.h"

#include <gflags/gflags.h>

#include "absl/strings/str_cat.h"
#include "experiments/common/paths.h"
#include "experiments/common/program.h"
#include "lipschitz/base/status.h"

DEFINE_string(preset, "quick", "Size of the runs: smoke, quick or paper.");
DEFINE_uint64(seed, 0, "Seed of everything random.");
DEFINE_string(results_dir, "",
              "Where records, tables and figures go; empty: results/ of the "
              "workspace.");
DEFINE_string(data_dir, "", "A folder, in which datasets are looked up first.");
DEFINE_string(dataset, "auto",
              "mnist, fashion_mnist, cifar10 or auto, where the experiment has "
              "one.");
DEFINE_int32(threads, 0, "Threads; 0: as many as there are physical cores.");
DEFINE_string(device, "auto", "cpu, cuda or auto.");
DEFINE_bool(
    resume, true,
    "Keep finished records of the same settings, and go on from the last "
    "checkpoint of an unfinished run.");
DEFINE_string(progress, "auto", "auto, bar, lines or none.");
DEFINE_int64(checkpoint_steps, 0,
             "A checkpoint every so many optimiser steps, beside the one every "
             "30 seconds; 0: none.");

namespace lipschitz::experiments {

void ParseFlags(int argc, char** argv, const std::string& usage) {
  ParseCommandLine(argc, argv, usage, "experiments/");
}

absl::StatusOr<CommonSettings> CommonSettingsFromFlags() {
  CommonSettings settings;
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.preset, ParsePreset(FLAGS_preset));
  LIPSCHITZ_RETURN_IF_ERROR(CheckSeed(FLAGS_seed));
  settings.seed = FLAGS_seed;
  settings.results_dir = FLAGS_results_dir.empty()
                             ? WorkspacePath("results")
                             : UserPath(FLAGS_results_dir);
  settings.data_dir = FLAGS_data_dir.empty() ? "" : UserPath(FLAGS_data_dir);
  settings.dataset = FLAGS_dataset;
  if (settings.dataset != "auto" && settings.dataset != "mnist" &&
      settings.dataset != "fashion_mnist" && settings.dataset != "cifar10") {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown dataset '", settings.dataset,
                     "'; known: auto, mnist, fashion_mnist, cifar10"));
  }
  LIPSCHITZ_RETURN_IF_ERROR(CheckThreads(FLAGS_threads));
  settings.threads = FLAGS_threads;
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.device, ResolveDevice(FLAGS_device));
  settings.resume = FLAGS_resume;
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.progress,
                             ParseProgressMode(FLAGS_progress));
  if (FLAGS_checkpoint_steps < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--checkpoint_steps must not be negative, got ",
                     FLAGS_checkpoint_steps));
  }
  settings.checkpoint_steps = FLAGS_checkpoint_steps;
  return settings;
}

}  // namespace lipschitz::experiments
