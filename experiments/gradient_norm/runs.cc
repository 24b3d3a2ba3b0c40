#include "experiments/gradient_norm/runs.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_format.h"
#include "experiments/common/image_data.h"
#include "experiments/common/verdict.h"
#include "experiments/gradient_norm/flow.h"
#include "experiments/gradient_norm/report.h"
#include "lipschitz/base/norm.h"
#include "lipschitz/base/status.h"
#include "lipschitz/data/random.h"
#include "lipschitz/data/spherical_shells.h"
#include "lipschitz/diagnostics/layer_gradients.h"
#include "lipschitz/diagnostics/lipschitz_lower_bound.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz::experiments {
namespace {

constexpr uint64_t kPointStream = 31;

// A sphere around a point has the distance 1 from it.
constexpr double kExactDistance = 1.0;

// By how much the norm of a gradient may change, from the output to any layer,
// where all layers between keep it.
constexpr double kKeepingAllowance = 1e-4;

// Of the input gradient at the start: that of a unit vector in the space of the
// hidden layer, independent of the layer's d columns, on their span. Its square
// has the mean d / width.
double ExpectedInputGradient(int64_t inputs, int64_t width) {
  return std::sqrt(
      std::min(1.0, static_cast<double>(inputs) / static_cast<double>(width)));
}

struct Measured {
  GradientFlow initial;
  GradientFlow trained;
  LipschitzTightness tightness;
};

absl::StatusOr<LipschitzTightness> TightnessOf(SequentialImpl& network,
                                               const torch::Tensor& x,
                                               const MeasurementSizes& sizes,
                                               uint64_t seed) {
  LowerBoundOptions options;
  options.steps = sizes.bound_steps;
  options.seed = seed;
  return MeasureTightness(
      network, x.narrow(0, 0, std::min(sizes.bound_points, x.size(0))),
      options);
}

void AddFlow(const std::string& when, const GradientFlow& flow,
             RunOutcome* outcome) {
  const torch::Tensor values = flow.singular_values.flatten();
  outcome->metrics["input_gradient_" + when] = flow.layers[0].mean;
  // Behind the first layer: what a widening one costs is not in it.
  outcome->metrics["hidden_gradient_" + when] = flow.layers[1].mean;
  outcome->metrics["keeping_deviation_" + when] = flow.keeping_deviation;
  outcome->metrics["keeping_deviation_own_" + when] =
      flow.keeping_deviation_own;
  outcome->metrics["sigma_min_" + when] = values.min().item<double>();
  outcome->metrics["sigma_median_" + when] = values.median().item<double>();
  outcome->metrics["sigma_max_" + when] = values.max().item<double>();
  Json norms = {{"norm", "l2"},
                {"layer", Json::array()},
                {"mean", Json::array()},
                {"min", Json::array()},
                {"max", Json::array()}};
  for (const LayerGradient& layer : flow.layers) {
    norms["layer"].push_back(layer.layer);
    norms["mean"].push_back(layer.mean);
    norms["min"].push_back(layer.min);
    norms["max"].push_back(layer.max);
  }
  outcome->curves["gradient_norm_" + when] = norms;
  outcome->curves["jacobian_" + when] = HistogramOf(values);
}

absl::Status Verdict(const Measured& measured, const MlpConfig& network) {
  // Written so that a value that is not a number fails too. Björck's iteration
  // ends before its weights are orthonormal to this accuracy.
  if (network.constraint.kind == ConstraintKind::kStiefel) {
    for (const GradientFlow* flow : {&measured.initial, &measured.trained}) {
      if (!(flow->keeping_deviation <= kKeepingAllowance) ||
          !(flow->keeping_deviation_own <= kKeepingAllowance)) {
        return absl::FailedPreconditionError(absl::StrFormat(
            "the last %d layers keep the norm of gradients by construction, "
            "but it is off by %.3g in float64 and %.3g as computed",
            flow->keeping_layers, flow->keeping_deviation,
            flow->keeping_deviation_own));
      }
    }
  }
  return ExpectSlopeWithin(measured.tightness.lower.value,
                           measured.tightness.proven);
}

RunOutcome OutcomeOf(const Measured& measured, const MlpConfig& network) {
  RunOutcome outcome;
  AddFlow("initial", measured.initial, &outcome);
  AddFlow("trained", measured.trained, &outcome);
  outcome.metrics["keeping_layers"] =
      static_cast<double>(measured.trained.keeping_layers);
  outcome.metrics["tightness"] = measured.tightness.tightness;
  outcome.lipschitz = LipschitzRecord{Norm::kL2, measured.tightness.proven,
                                      measured.tightness.lower.value};
  outcome.verdict = Verdict(measured, network);
  return outcome;
}

}  // namespace

Json MeasurementSizes::ToJson() const {
  return {{"points", points},
          {"bound_points", bound_points},
          {"bound_steps", bound_steps}};
}

absl::StatusOr<RunOutcome> RunCritic(int64_t dimension,
                                     WassersteinConfig config,
                                     const MeasurementSizes& sizes,
                                     const RunContext& context) {
  config.seed = context.seed;
  config.device = context.device;
  config.checkpoint = context.checkpoint;
  const auto shell = [dimension](double radius) -> Sampler {
    const SphericalShells shells{dimension, radius, {0.0}};
    return [shells](int64_t n, const RandomSource& random) {
      return shells.Sample(n, random);
    };
  };
  // Between the sphere and its centre, where a perfect critic has the slope 1.
  const RandomSource random(StreamSeed(context.seed, kPointStream));
  const torch::Tensor radii =
      torch::rand({sizes.points, 1}, random.generator());
  const torch::Tensor points =
      (radii * shell(1.0)(sizes.points, random)).to(config.device);
  Measured measured;
  WassersteinHooks hooks;
  hooks.progress = context.progress;
  hooks.notice = context.notice;
  hooks.stop_requested = context.stop_requested;
  hooks.initial = [&](SequentialImpl& critic) -> absl::Status {
    LIPSCHITZ_ASSIGN_OR_RETURN(measured.initial,
                               MeasureGradientFlow(critic, points, {}));
    return absl::OkStatus();
  };
  LIPSCHITZ_ASSIGN_OR_RETURN(
      WassersteinEstimate estimate,
      EstimateWasserstein(shell(1.0), shell(0.0), config, hooks));
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.trained,
                             MeasureGradientFlow(*estimate.critic, points, {}));
  LIPSCHITZ_ASSIGN_OR_RETURN(
      measured.tightness,
      TightnessOf(*estimate.critic, points, sizes, context.seed));
  RunOutcome outcome = OutcomeOf(measured, config.mlp());
  const double value = estimate.estimate.value;
  outcome.metrics["score"] = value / kExactDistance;
  outcome.metrics["input_gradient_expected"] =
      ExpectedInputGradient(dimension, config.mlp().hidden[0]);
  outcome.SetTraining(estimate.training);
  outcome.verdict.Update(ExpectEstimateWithin(
      value, estimate.estimate.lipschitz_constant, kExactDistance));
  return outcome;
}

absl::StatusOr<RunOutcome> RunClassifier(const ClassifierRecipe& recipe,
                                         const ImageDataset& data,
                                         const MeasurementSizes& sizes,
                                         const RunContext& context) {
  const LabelledImages shown = FirstImages(data.test, sizes.points);
  const torch::Tensor points = FlatPixels(shown).to(context.device);
  const torch::Tensor labels = shown.labels.to(context.device);
  Measured measured;
  ClassifierProbes probes;
  probes.initial = [&](SequentialImpl& network) -> absl::Status {
    LIPSCHITZ_ASSIGN_OR_RETURN(measured.initial,
                               MeasureGradientFlow(network, points, labels));
    return absl::OkStatus();
  };
  LIPSCHITZ_ASSIGN_OR_RETURN(
      TrainedClassifier trained,
      TrainClassifier(recipe, Norm::kL2, data, AccuracyOf, context, probes));
  SequentialImpl& network = *trained.network;
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.trained,
                             MeasureGradientFlow(network, points, labels));
  LIPSCHITZ_ASSIGN_OR_RETURN(measured.tightness,
                             TightnessOf(network, points, sizes, context.seed));
  RunOutcome outcome = OutcomeOf(measured, recipe.mlp());
  outcome.metrics["score"] =
      AccuracyOf(Logits(network, FlatPixels(data.test).to(context.device)),
                 data.test.labels.to(context.device))
          .at("accuracy");
  outcome.metrics["input_gradient_expected"] =
      ExpectedInputGradient(data.pixels(), recipe.mlp().hidden[0]);
  outcome.SetTraining(trained.training);
  return outcome;
}

}  // namespace lipschitz::experiments
