#include "experiments/wasserstein_estimation/wasserstein_estimation.h"

#include <torch/types.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "experiments/common/image_data.h"
#include "experiments/common/paths.h"
#include "experiments/common/verdict.h"
#include "experiments/wasserstein_estimation/critics.h"
#include "experiments/wasserstein_estimation/free_critic.h"
#include "experiments/wasserstein_estimation/generators.h"
#include "experiments/wasserstein_estimation/report.h"
#include "experiments/wasserstein_estimation/samples.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "lipschitz/training/wasserstein_gan.h"
#include "lipschitz/transport/dual_estimate.h"

namespace lipschitz::experiments {
namespace {

// Raised when a change to the code changes the metrics of a run.
constexpr int kVersion = 2;

constexpr double kConfidence = 0.95;

// The search for the steepest slope starts from so many images of each side,
// and takes so many steps.
constexpr int64_t kSlopeImages = 8;
constexpr int kSlopeSteps = 15;

SampleCounts CountsOf(Preset preset) {
  switch (preset) {
    case Preset::kSmoke:
      return {/*training=*/800, /*test=*/400, /*exact=*/32};
    case Preset::kQuick:
      return {/*training=*/20000, /*test=*/10000, /*exact=*/1000};
    case Preset::kPaper:
      break;
  }
  return {/*training=*/60000, /*test=*/10000, /*exact=*/1000};
}

// A trained critic f, as x ↦ scale · f((x − shift) / scale).
struct Critic {
  Sequential network{nullptr};
  torch::Tensor shift;  // undefined: 0
  double scale = 1.0;

  torch::Tensor Seen(const torch::Tensor& x) const {
    const torch::Tensor exact = x.to(torch::kDouble);
    return shift.defined() ? (exact - shift) / scale : exact;
  }
};

absl::StatusOr<DualEstimate> EstimateOn(Critic& critic,
                                        const TwoSamples& samples,
                                        const std::string& device) {
  LIPSCHITZ_ASSIGN_OR_RETURN(
      DualEstimate estimate,
      EstimateWithCritic(*critic.network, critic.Seen(samples.p).to(device),
                         critic.Seen(samples.q).to(device), Norm::kL2));
  estimate.Rescale(critic.scale);
  return estimate;
}

WassersteinConfig ConfigFor(const CriticSpec& spec,
                            const NetworkConfig& network,
                            const RunContext& context) {
  WassersteinConfig config;
  config.network = network;
  config.standardise = spec.standardise;
  config.steps = spec.steps;
  config.batch_size = spec.batch_size;
  config.optimizer = spec.optimizer;
  config.learning_rate = spec.learning_rate;
  config.confidence = kConfidence;
  config.device = context.device;
  config.seed = context.seed;
  config.checkpoint = context.checkpoint;
  return config;
}

// A critic with what came of its training.
struct Trained {
  Critic critic;
  TrainingResult training;
};

absl::StatusOr<Trained> TrainCritic(const CriticSpec& spec,
                                    const NetworkConfig& network,
                                    const ImageSamples& samples,
                                    const RunContext& context) {
  const bool same = spec.protocol == Protocol::kSameSamples;
  const TwoSamples& training = same ? samples.exact_samples : samples.training;
  Trained trained;
  if (spec.kind != CriticKind::kConstrained) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        FreeCritic free, TrainFreeCritic(spec, network, training, context));
    trained.critic.network = free.critic;
    trained.training = std::move(free.training);
    return trained;
  }
  WassersteinHooks hooks;
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  // Tested on the few images here, and by the caller on those that count.
  LIPSCHITZ_ASSIGN_OR_RETURN(
      WassersteinEstimate estimate,
      EstimateWasserstein(training, samples.exact_samples,
                          ConfigFor(spec, network, context), hooks));
  trained.critic = {estimate.critic, estimate.shift, estimate.scale};
  trained.training = std::move(estimate.training);
  return trained;
}

absl::StatusOr<double> SteepestSlope(Critic& critic,
                                     const ImageSamples& samples,
                                     const RunContext& context) {
  LowerBoundOptions options;
  options.steps = kSlopeSteps;
  options.seed = context.seed;
  const int64_t n = std::min(kSlopeImages, samples.exact_samples.p.size(0));
  const torch::Tensor images =
      torch::cat({samples.exact_samples.p.narrow(0, 0, n),
                  samples.exact_samples.q.narrow(0, 0, n)});
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const LipschitzTightness tightness,
      MeasureTightness(*critic.network, critic.Seen(images).to(context.device),
                       options));
  return tightness.lower.value;
}

absl::Status Verdict(const CriticSpec& spec, const DualEstimate& on_exact,
                     double exact, double slope) {
  const double bound = on_exact.lipschitz_constant;
  if (spec.kind == CriticKind::kConstrained) {
    LIPSCHITZ_RETURN_IF_ERROR(ExpectUnitConstant(bound));
  }
  LIPSCHITZ_RETURN_IF_ERROR(ExpectSlopeWithin(slope, bound));
  return ExpectEstimateWithin(on_exact.value, bound, exact);
}

absl::StatusOr<RunOutcome> Execute(const CriticSpec& spec,
                                   const NetworkConfig& network,
                                   const ImageSamples& samples,
                                   const RunContext& context) {
  LIPSCHITZ_ASSIGN_OR_RETURN(Trained trained,
                             TrainCritic(spec, network, samples, context));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      const DualEstimate on_exact,
      EstimateOn(trained.critic, samples.exact_samples, context.device));
  LIPSCHITZ_ASSIGN_OR_RETURN(const double slope,
                             SteepestSlope(trained.critic, samples, context));

  RunOutcome outcome;
  DualEstimate estimate = on_exact;
  outcome.metrics["linear_estimate"] = samples.linear_same;
  if (spec.protocol == Protocol::kHeldOut) {
    LIPSCHITZ_ASSIGN_OR_RETURN(
        estimate, EstimateOn(trained.critic, samples.test, context.device));
    const Interval interval = IntervalOf(estimate, kConfidence);
    outcome.metrics["standard_error"] = estimate.standard_error;
    outcome.metrics["interval_lower"] = interval.lower;
    outcome.metrics["interval_upper"] = interval.upper;
    outcome.metrics["linear_estimate"] = samples.linear_held_out;
  }
  outcome.metrics["wasserstein_estimate"] = estimate.value;
  outcome.metrics["mean_difference"] =
      estimate.value * estimate.lipschitz_constant;
  outcome.metrics["wasserstein_exact"] = samples.exact;
  outcome.metrics["estimate_over_exact"] = on_exact.value / samples.exact;
  outcome.lipschitz =
      LipschitzRecord{Norm::kL2, estimate.lipschitz_constant, slope};
  outcome.SetTraining(trained.training);
  outcome.verdict = Verdict(spec, on_exact, samples.exact, slope);
  return outcome;
}

bool Chosen(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() ||
         std::find(names.begin(), names.end(), name) != names.end();
}

bool Chosen(const WassersteinEstimationSettings& settings,
            const CriticSpec& spec) {
  const bool dense = spec.network == "dense";
  if (spec.on_request &&
      (dense ? settings.depths.empty() : settings.networks.empty())) {
    return false;
  }
  return Chosen(settings.samples, ProtocolName(spec.protocol)) &&
         Chosen(settings.networks, spec.network) &&
         Chosen(settings.constraints, spec.constraint) &&
         Chosen(settings.activations, spec.activation) &&
         (settings.depths.empty() ||
          std::count(settings.depths.begin(), settings.depths.end(),
                     spec.depth) > 0);
}

// Every name that was asked for is one of some critic of the preset.
absl::Status CheckNames(const WassersteinEstimationSettings& settings,
                        const std::vector<CriticSpec>& specs) {
  const auto known = [&specs](const auto& name_of) {
    std::set<std::string> names;
    for (const CriticSpec& spec : specs) names.insert(name_of(spec));
    return std::vector<std::string>(names.begin(), names.end());
  };
  LIPSCHITZ_RETURN_IF_ERROR(ExpectKnown(
      "samples", settings.samples,
      known([](const CriticSpec& s) { return ProtocolName(s.protocol); })));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("network", settings.networks,
                  known([](const CriticSpec& s) { return s.network; })));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("constraint", settings.constraints,
                  known([](const CriticSpec& s) { return s.constraint; })));
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("activation", settings.activations,
                  known([](const CriticSpec& s) { return s.activation; })));
  std::vector<std::string> depths;
  for (const int64_t depth : settings.depths) {
    depths.push_back(absl::StrCat(depth));
  }
  return ExpectKnown("depth", depths, known([](const CriticSpec& s) {
                       return absl::StrCat(s.depth);
                     }));
}

CriticSpec Customised(CriticSpec spec,
                      const WassersteinEstimationSettings& settings) {
  spec.width = settings.width.value_or(spec.width);
  spec.steps = settings.steps.value_or(spec.steps);
  spec.batch_size = settings.batch_size.value_or(spec.batch_size);
  spec.learning_rate = settings.learning_rate.value_or(spec.learning_rate);
  return spec;
}

// The generators of the settings, for the dataset.
absl::StatusOr<std::vector<NamedGenerator>> Generators(
    const WassersteinEstimationSettings& settings, Preset preset,
    const ImageDataset& data) {
  LIPSCHITZ_RETURN_IF_ERROR(
      ExpectKnown("kind", settings.kinds, WassersteinGanNames()));
  if (!settings.generator.empty()) {
    if (!settings.kinds.empty()) {
      return absl::InvalidArgumentError(
          "--kind names published generators and --generator a file: give one "
          "of them");
    }
    LIPSCHITZ_ASSIGN_OR_RETURN(
        NamedGenerator generator,
        ReadGenerator(std::filesystem::path(settings.generator).stem().string(),
                      settings.generator, data));
    return std::vector<NamedGenerator>{std::move(generator)};
  }
  std::vector<std::string> kinds = settings.kinds;
  if (kinds.empty() && preset == Preset::kSmoke) {
    return std::vector<NamedGenerator>{UntrainedGenerator(data)};
  }
  if (kinds.empty()) {
    kinds = {"wgan_gp"};
    if (preset == Preset::kPaper) kinds = {"wgan", "wgan_gp", "lwgan"};
  }
  std::vector<NamedGenerator> generators;
  for (const std::string& kind : kinds) {
    if (std::count(kinds.begin(), kinds.end(), kind) > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("--kind lists '", kind, "' twice"));
    }
    auto generator =
        ReadGenerator(kind,
                      WorkspacePath(absl::StrCat("results/generators/",
                                                 data.name, "-", kind, ".lip")),
                      data);
    if (absl::IsNotFound(generator.status())) {
      return absl::NotFoundError(absl::StrCat(
          generator.status().message(),
          "; bazel run //experiments/wgan -- --dataset=", data.name,
          " --kind=", kind,
          " leaves a generator in results/models/wgan/, and "
          "--generator takes any file"));
    }
    LIPSCHITZ_RETURN_IF_ERROR(generator.status());
    generators.push_back(*std::move(generator));
  }
  return generators;
}

Json ConfigOf(const CriticSpec& spec, const SampleSource& source) {
  Json config = {{"version", kVersion},
                 {"dataset", source.data().name},
                 {"generator", source.generator().name},
                 {"generator_digest", source.generator().digest},
                 {"training_images", source.counts().training},
                 {"test_images", source.counts().test},
                 {"exact_images", source.counts().exact}};
  config.update(spec.Config());
  return config;
}

// What is worth knowing of what the runs are made from.
std::vector<std::string> NotesOf(const SampleSource& source) {
  std::vector<std::string> notes = source.data().notes;
  if (source.generator().name == "untrained") {
    notes.push_back(
        "no generator was given: an untrained one stands in, always the same");
  }
  if (source.data().name == "synthetic") {
    notes.push_back("the real images are synthetic");
  }
  return notes;
}

}  // namespace

absl::StatusOr<std::vector<Run>> WassersteinEstimationExperiment::Plan(
    const CommonSettings& common) const {
  const std::vector<CriticSpec> specs = CriticSpecs(common.preset);
  LIPSCHITZ_RETURN_IF_ERROR(CheckNames(settings_, specs));
  std::shared_ptr<const ImageDataset> data;
  if (common.preset == Preset::kSmoke && common.dataset == "auto") {
    data = SyntheticImages();
  } else {
    LIPSCHITZ_ASSIGN_OR_RETURN(data, LoadImages(common));
  }
  LIPSCHITZ_ASSIGN_OR_RETURN(const std::vector<NamedGenerator> generators,
                             Generators(settings_, common.preset, *data));
  const auto last = std::make_shared<LastSamples>();
  std::vector<Run> runs;
  for (const NamedGenerator& generator : generators) {
    const auto source = std::make_shared<const SampleSource>(
        data, generator, CountsOf(common.preset));
    LIPSCHITZ_RETURN_IF_ERROR(source->Check());
    for (const CriticSpec& standard : specs) {
      if (!Chosen(settings_, standard)) continue;
      const CriticSpec spec = Customised(standard, settings_);
      if (spec.steps < 1 || spec.batch_size < 0 ||
          !(spec.learning_rate > 0.0)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "steps and learning_rate must be positive and batch_size not "
            "negative, got ",
            spec.steps, ", ", spec.learning_rate, " and ", spec.batch_size));
      }
      LIPSCHITZ_ASSIGN_OR_RETURN(
          const NetworkConfig network,
          CriticNetworkOf(spec, data->channels(), data->height(),
                          data->width()));
      Run run;
      run.variant = spec.Variant(generator.name);
      run.dataset = data->name;
      run.notes = NotesOf(*source);
      run.label =
          absl::StrCat(data->name, "-", generator.name, "-", spec.Slug());
      run.config = ConfigOf(spec, *source);
      // Another file than those that are published is no standard setting.
      if (!settings_.generator.empty()) run.config["own_generator"] = true;
      run.slug = MakeSlug(run.label, common.preset, ConfigOf(standard, *source),
                          &run.config);
      run.execute =
          [spec, network, source,
           last](const RunContext& context) -> absl::StatusOr<RunOutcome> {
        LIPSCHITZ_ASSIGN_OR_RETURN(const auto samples,
                                   last->Get(source, context.seed));
        return Execute(spec, network, *samples, context);
      };
      runs.push_back(std::move(run));
    }
  }
  if (runs.empty()) {
    return absl::InvalidArgumentError(
        "nothing to run: no critic of this preset is all that --samples, "
        "--network, --constraint, --activation and --depth ask for (in the "
        "quick preset convolutional critics run only where --network names "
        "them, deeper ones where --depth does)");
  }
  return runs;
}

Table WassersteinEstimationExperiment::MakeTable(
    const std::vector<Record>& records) const {
  return EstimationTable(records);
}

absl::Status WassersteinEstimationExperiment::WriteReport(
    const std::string& results_dir, const std::string& stem,
    const std::vector<Record>& records) const {
  return WriteEstimationReport(results_dir, stem, records);
}

}  // namespace lipschitz::experiments
