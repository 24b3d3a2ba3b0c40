// bazel run //tools:estimate_wasserstein -- --p=a.npy --q=b.csv --exact
#include <gflags/gflags.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "experiments/common/flag_lists.h"
#include "experiments/common/paths.h"
#include "experiments/common/program.h"
#include "experiments/common/progress.h"
#include "experiments/common/settings.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/files.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/optim/optimizer.h"
#include "lipschitz/transport/wasserstein_estimate.h"
#include "tools/estimate_wasserstein/exact.h"
#include "tools/estimate_wasserstein/inputs.h"
#include "tools/estimate_wasserstein/report.h"

DEFINE_string(p, "",
              "Samples of P: .npy (n, d) or (n), or CSV, a sample a line.");
DEFINE_string(q, "", "Samples of Q, as many columns as P.");
DEFINE_string(ground_norm, "l2", "Of distances: l1, l2 or linf.");
DEFINE_bool(
    exact, false,
    "Also the exact W1 of all samples, by linear programming; 100 bytes "
    "a pair of samples. On the line: in closed form.");
DEFINE_bool(
    c_transform, false,
    "Also the lower bound on the W1 of all samples that the c-transform "
    "of the critic proves: closer to it than the critic's own, and "
    "in little memory, of so many samples too that --exact refuses. "
    "Takes the time of two distances a pair of samples.");
DEFINE_string(output, "", "A JSON file for the result, with all digits.");
DEFINE_bool(scale, true,
            "The critic sees the samples standardised: minus their mean, over "
            "one scale of all columns. Results are in the samples' units "
            "either way; without it, a critic of data far from 0 or far from "
            "the scale 1 trains badly.");
DEFINE_string(hidden, "128,128,128", "Widths of the critic's hidden layers.");
DEFINE_string(activation, "groupsort4", "Of the critic.");
DEFINE_int64(steps, 1500, "Optimiser steps.");
DEFINE_int64(batch_size, 256, "Samples of each side in a step; 0: all.");
DEFINE_string(optimizer, "adam", "adam, aggmo, muon or fast_muon.");
DEFINE_double(learning_rate, 0.01, "At the beginning; it falls to a tenth.");
DEFINE_double(validation_share, 0.2,
              "Share of the samples that choose among the critics that the "
              "training passes through; 0: the last one.");
DEFINE_double(test_share, 0.2,
              "Share of the samples that the result is estimated on; 0: on "
              "those of the training, the result is about them alone.");
DEFINE_double(confidence, 0.95, "Of the interval.");
DEFINE_int64(patience, 0,
             "Ends the training after so many validations in a row, one every "
             "100 steps, that were no better than the best; 0: never.");
DEFINE_uint64(seed, 0, "Seed of everything random.");
DEFINE_int32(threads, 0, "Threads; 0: as many as there are physical cores.");
DEFINE_string(progress, "auto", "auto, bar, lines or none.");

namespace lipschitz::tools {
namespace {

using experiments::ReportBadInput;
using experiments::ReportError;
using experiments::ReportFailure;
using experiments::UserPath;

absl::StatusOr<WassersteinConfig> ConfigFromFlags() {
  WassersteinConfig config;
  LIPSCHITZ_ASSIGN_OR_RETURN(config.ground_norm, ParseNorm(FLAGS_ground_norm));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const std::vector<int64_t> hidden,
      experiments::SplitIntegers("hidden", FLAGS_hidden));
  LIPSCHITZ_ASSIGN_OR_RETURN(const ActivationSpec activation,
                             ParseActivation(FLAGS_activation));
  config.network = CriticNetwork(config.ground_norm, hidden, activation);
  config.standardise = FLAGS_scale;
  config.steps = FLAGS_steps;
  config.batch_size = FLAGS_batch_size;
  LIPSCHITZ_ASSIGN_OR_RETURN(config.optimizer, ParseOptimizer(FLAGS_optimizer));
  config.learning_rate = FLAGS_learning_rate;
  config.validation_share = FLAGS_validation_share;
  config.test_share = FLAGS_test_share;
  config.confidence = FLAGS_confidence;
  config.patience = FLAGS_patience;
  LIPSCHITZ_RETURN_IF_ERROR(experiments::CheckSeed(FLAGS_seed));
  config.seed = FLAGS_seed;
  LIPSCHITZ_RETURN_IF_ERROR(experiments::CheckThreads(FLAGS_threads));
  LIPSCHITZ_RETURN_IF_ERROR(config.Validate());
  return config;
}

double SecondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

// Adds the estimate to the report.
absl::Status Estimate(experiments::ProgressDisplay& display, Report* report) {
  display.BeginRun(1, 1, absl::StrCat("W1 of ", report->p, " and ", report->q));
  WassersteinHooks hooks;
  hooks.progress = [&](const TrainingProgress& progress) {
    display.Step(progress);
  };
  hooks.notice = [&](const std::string& sentence) { display.Notice(sentence); };
  hooks.stop_requested = experiments::StopOnInterrupt();
  const auto begin = std::chrono::steady_clock::now();
  auto estimate = EstimateWasserstein(report->samples.p, report->samples.q,
                                      report->config, hooks);
  if (!estimate.ok()) {
    return WithContext(estimate.status(),
                       absl::StrCat("P = ", report->p, ", Q = ", report->q));
  }
  report->estimate = *std::move(estimate);
  report->estimate_seconds = SecondsSince(begin);
  display.EndRun(EstimateText(*report));
  return absl::OkStatus();
}

// Adds the exact value, or why there is none.
void Solve(experiments::ProgressDisplay& display, Report* report) {
  display.Notice(absl::StrCat("solving exactly: ", report->samples.p.size(0),
                              " × ", report->samples.q.size(0), " samples"));
  const auto begin = std::chrono::steady_clock::now();
  const auto exact = SolveExactly(report->samples, report->estimate,
                                  report->config.ground_norm);
  report->exact_seconds = SecondsSince(begin);
  report->exact_status = exact.status();
  if (exact.ok()) report->exact = *exact;
}

// Adds the c-transform's bound, or why there is none.
void Transform(experiments::ProgressDisplay& display, Report* report) {
  display.Notice(absl::StrCat("c-transform: ", report->samples.p.size(0), " × ",
                              report->samples.q.size(0), " samples"));
  const auto begin = std::chrono::steady_clock::now();
  const auto transformed = TransformCritic(
      report->estimate, report->samples.p, report->samples.q,
      report->config.ground_norm, experiments::StopOnInterrupt());
  report->transform_seconds = SecondsSince(begin);
  report->transform_status = transformed.status();
  if (transformed.ok() && report->exact.has_value()) {
    report->transform_status = ExpectBelow(
        *report->exact, transformed->lower_bound, "the c-transform's");
  }
  if (report->transform_status.ok()) {
    report->transform_bound = transformed->lower_bound;
  }
}

int Main() {
  if (FLAGS_p.empty() || FLAGS_q.empty()) {
    return ReportBadInput(
        absl::InvalidArgumentError("--p and --q are needed (see --help)"));
  }
  const auto config = ConfigFromFlags();
  if (!config.ok()) return ReportBadInput(config.status());
  const auto progress = experiments::ParseProgressMode(FLAGS_progress);
  if (!progress.ok()) return ReportBadInput(progress.status());
  auto samples = ReadSamplePair(UserPath(FLAGS_p), UserPath(FLAGS_q));
  if (!samples.ok()) return ReportBadInput(samples.status());

  experiments::WarnAboutBlas();
  experiments::KeepFreedMemory();
  experiments::SetThreads(FLAGS_threads);
  experiments::SetSeed(FLAGS_seed);
  Report report;
  report.p = FLAGS_p;
  report.q = FLAGS_q;
  report.config = *config;
  report.samples = *std::move(samples);
  report.config.mlp().input_dim = report.samples.p.size(1);
  experiments::ProgressDisplay display(*progress, stderr);
  const absl::Status estimated = Estimate(display, &report);
  if (absl::IsCancelled(estimated)) {
    display.Notice("stopped before the end of the training: no estimate");
    return experiments::kExitInterrupted;
  }
  if (!estimated.ok()) return ReportError(estimated);
  if (FLAGS_exact) Solve(display, &report);
  if (FLAGS_c_transform) Transform(display, &report);

  absl::Status status = experiments::PrintResult(ReportTable(report));
  if (!FLAGS_output.empty()) {
    status.Update(
        WriteFileAtomically(UserPath(FLAGS_output), ReportJson(report)));
  }
  status.Update(report.exact_status);
  if (absl::IsCancelled(report.transform_status)) {
    display.Notice("stopped in the c-transform: its bound is left out");
    return status.ok() ? experiments::kExitInterrupted : ReportFailure(status);
  }
  status.Update(report.transform_status);
  return status.ok() ? experiments::kExitDone : ReportFailure(status);
}

}  // namespace
}  // namespace lipschitz::tools

int main(int argc, char** argv) {
  lipschitz::experiments::ParseCommandLine(
      argc, argv,
      "A certified lower bound on the Wasserstein-1 distance of two "
      "distributions from samples, in the units of the samples.",
      "tools/estimate_wasserstein/");
  return lipschitz::tools::Main();
}
