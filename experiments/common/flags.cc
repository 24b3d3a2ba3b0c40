#include "experiments/common/flags.h"

#include <gflags/gflags.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/paths.h"
#include "lipschitz/base/status.h"

DEFINE_string(preset, "quick", "Size of the runs: smoke, quick or paper.");
DEFINE_uint64(seed, 0, "Seed of everything random.");
DEFINE_string(results_dir, "",
              "Where records, tables and figures go; empty: results/ of the "
              "workspace.");
DEFINE_string(data_dir, "", "Where datasets are looked up first.");
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

namespace GFLAGS_NAMESPACE {
// Defined by gflags for exactly this purpose, but not declared in its header.
extern void (*gflags_exitfunc)(int);
}  // namespace GFLAGS_NAMESPACE

namespace lipschitz::experiments {
namespace {

constexpr int kBadFlags = 2;

bool IsSet(const char* flag) {
  std::string value;
  return gflags::GetCommandLineOption(flag, &value) && value == "true";
}

}  // namespace

void ParseFlags(int argc, char** argv, const std::string& usage) {
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) { std::exit(kBadFlags); };
  gflags::SetUsageMessage(usage);
  // gflags opens the file itself, in the folder that `bazel run` chose.
  std::vector<std::string> arguments(argv, argv + argc);
  for (int i = 1; i < argc; ++i) {
    for (const std::string prefix : {"--flagfile=", "-flagfile="}) {
      if (!absl::StartsWith(arguments[i], prefix)) continue;
      arguments[i] = prefix + UserPath(arguments[i].substr(prefix.size()));
      argv[i] = arguments[i].data();
    }
  }
  gflags::ParseCommandLineNonHelpFlags(&argc, &argv, /*remove_flags=*/true);
  if (IsSet("help") || IsSet("helpfull") || IsSet("helpshort")) {
    gflags::ShowUsageWithFlagsRestrict(argv[0], "experiments/");
    std::exit(0);
  }
  // What else gflags answers by itself (--version, --helpxml, ...).
  GFLAGS_NAMESPACE::gflags_exitfunc = [](int) { std::exit(0); };
  gflags::HandleCommandLineHelpFlags();
  if (argc > 1) {
    std::fprintf(stderr,
                 "ERROR: '%s' is not a flag; flags look like --seed=1 (see "
                 "--help)\n",
                 argv[1]);
    std::exit(kBadFlags);
  }
}

absl::StatusOr<CommonSettings> CommonSettingsFromFlags() {
  CommonSettings settings;
  LIPSCHITZ_ASSIGN_OR_RETURN(settings.preset, ParsePreset(FLAGS_preset));
  if (FLAGS_seed > kLargestSeed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--seed must be at most ", kLargestSeed, ", got ", FLAGS_seed));
  }
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
  if (FLAGS_threads < 0 || FLAGS_threads > 1024) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--threads must be between 0 and 1024, got ", FLAGS_threads));
  }
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
