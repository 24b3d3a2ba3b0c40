#include "experiments/wasserstein_estimation/critics.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lipschitz/activations/activation.h"
#include "lipschitz/base/status.h"
#include "lipschitz/layers/constraint.h"
#include "lipschitz/layers/convolution_constraint.h"
#include "lipschitz/models/conv_net.h"
#include "lipschitz/models/mlp.h"

namespace lipschitz::experiments {
namespace {

ConvStage Stage(int64_t channels, int64_t kernel, int64_t stride) {
  ConvStage stage;
  stage.channels = channels;
  stage.kernel = kernel;
  stage.stride = stride;
  return stage;
}

absl::StatusOr<NetworkConfig> Dense(const CriticSpec& spec, int64_t pixels) {
  MlpConfig network;
  network.input_dim = pixels;
  network.hidden.assign(static_cast<size_t>(spec.depth), spec.width);
  LIPSCHITZ_ASSIGN_OR_RETURN(network.activation,
                             ParseActivation(spec.activation));
  if (spec.kind == CriticKind::kConstrained) {
    LIPSCHITZ_ASSIGN_OR_RETURN(network.constraint.kind,
                               ParseConstraint(spec.constraint));
  } else {
    network.constraint.kind = ConstraintKind::kNone;
  }
  LIPSCHITZ_RETURN_IF_ERROR(network.Validate());
  return network;
}

absl::StatusOr<NetworkConfig> Convolutional(const CriticSpec& spec,
                                            int64_t channels, int64_t height,
                                            int64_t width) {
  if (spec.depth < 3 || spec.depth % 2 == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a convolutional critic has an odd depth of 3 or more, "
                     "got ",
                     spec.depth));
  }
  ConvNetConfig network;
  network.channels = channels;
  network.height = height;
  network.width = width;
  // As many convolutions at half as at a quarter of the size; the first of each
  // gets there.
  const int64_t each = (spec.depth - 1) / 2;
  for (const int64_t stage_channels :
       {spec.half_channels, spec.quarter_channels}) {
    network.stages.push_back(Stage(stage_channels, /*kernel=*/4, /*stride=*/2));
    for (int64_t i = 1; i < each; ++i) {
      network.stages.push_back(
          Stage(stage_channels, /*kernel=*/3, /*stride=*/1));
    }
  }
  network.hidden = {spec.width};
  LIPSCHITZ_ASSIGN_OR_RETURN(network.activation,
                             ParseActivation(spec.activation));
  if (spec.constraint == "orthogonal") {
    network.convolution.kind = ConvolutionConstraintKind::kOrthogonal;
    network.dense.kind = ConstraintKind::kStiefel;
  } else if (spec.constraint == "spectral") {
    network.convolution.kind = ConvolutionConstraintKind::kSpectral;
    network.dense.kind = ConstraintKind::kSpectral;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("convolutional critics have no constraint '",
                     spec.constraint, "'; known: orthogonal, spectral"));
  }
  LIPSCHITZ_RETURN_IF_ERROR(network.Validate());
  return network;
}

// For every depth every activation.
void AddGrid(const CriticSpec& base, const std::vector<int64_t>& depths,
             std::vector<CriticSpec>* specs) {
  for (const int64_t depth : depths) {
    for (const std::string& activation : CriticActivations()) {
      specs->push_back(base);
      specs->back().depth = depth;
      specs->back().activation = activation;
    }
  }
}

void AddFree(const CriticSpec& base, std::vector<CriticSpec>* specs) {
  CriticSpec spec = base;
  // That of the authors' GANs.
  spec.activation = "leaky_relu";
  spec.learning_rate = 1e-3;
  // The penalty is on gradients in the units of the images.
  spec.standardise = false;
  spec.kind = CriticKind::kGradientPenalty;
  spec.constraint = "gradient_penalty";
  specs->push_back(spec);
  spec.kind = CriticKind::kClipping;
  spec.constraint = "clipping";
  specs->push_back(spec);
}

}  // namespace

std::string ProtocolName(Protocol protocol) {
  return protocol == Protocol::kHeldOut ? "held_out" : "same_samples";
}

std::string CriticSpec::Slug() const {
  return absl::StrCat(protocol == Protocol::kSameSamples ? "same_samples-" : "",
                      network, "-", constraint, "-", activation, "-", depth);
}

Json CriticSpec::Variant(const std::string& generator) const {
  return {{"generator", generator}, {"samples", ProtocolName(protocol)},
          {"network", network},     {"constraint", constraint},
          {"depth", depth},         {"activation", activation}};
}

Json CriticSpec::Config() const {
  Json json = {{"width", width}};
  if (network == "convolutional") {
    json["half_channels"] = half_channels;
    json["quarter_channels"] = quarter_channels;
  }
  json["steps"] = steps;
  json["batch_size"] = batch_size;
  json["learning_rate"] = learning_rate;
  json["optimizer"] = OptimizerName(optimizer);
  json["standardise"] = standardise;
  return json;
}

const std::vector<std::string>& CriticActivations() {
  static const auto* const names = new std::vector<std::string>{
      "relu",       "leaky_relu", "maxout",  "maxmin",
      "groupsort4", "groupsort9", "fullsort"};
  return *names;
}

std::vector<CriticSpec> CriticSpecs(Preset preset) {
  std::vector<CriticSpec> specs;
  CriticSpec dense;
  CriticSpec same;
  same.protocol = Protocol::kSameSamples;
  // README.md says what else was tried.
  same.batch_size = 0;
  same.depth = 5;
  same.activation = "groupsort4";
  same.optimizer = OptimizerKind::kMuon;
  same.learning_rate = 0.1;
  CriticSpec convolutional;
  convolutional.network = "convolutional";
  switch (preset) {
    case Preset::kSmoke:
      dense.width = 36;
      dense.steps = 60;
      dense.batch_size = 64;
      AddGrid(dense, {3}, &specs);
      dense.constraint = "spectral";
      specs.push_back(dense);
      convolutional.constraint = "orthogonal";
      convolutional.width = 36;
      convolutional.half_channels = 4;
      convolutional.quarter_channels = 8;
      convolutional.steps = 10;
      convolutional.batch_size = 32;
      specs.push_back(convolutional);
      same.width = 36;
      same.steps = 60;
      specs.push_back(same);
      break;
    case Preset::kQuick: {
      // As near in 300 steps as Adam in 1000.
      CriticSpec fast = dense;
      fast.optimizer = OptimizerKind::kMuon;
      fast.steps = 300;
      fast.learning_rate = 0.1;
      AddGrid(fast, {3}, &specs);
      CriticSpec fast_spectral = fast;
      fast_spectral.constraint = "spectral";
      fast_spectral.learning_rate = 0.03;
      AddGrid(fast_spectral, {3}, &specs);
      same.width = 288;
      same.steps = 250;
      specs.push_back(same);
      for (CriticSpec spec : {fast, fast_spectral}) {
        spec.on_request = true;
        AddGrid(spec, {5, 7}, &specs);
        spec.network = "convolutional";
        spec.batch_size = 64;
        if (spec.constraint != "spectral") spec.constraint = "orthogonal";
        AddGrid(spec, {3, 5, 7}, &specs);
      }
      break;
    }
    case Preset::kPaper:
      dense.width = 504;
      dense.steps = 5000;
      for (const char* constraint : {"stiefel", "bjorck", "spectral"}) {
        dense.constraint = constraint;
        AddGrid(dense, {3, 5, 7}, &specs);
      }
      convolutional.width = 504;
      convolutional.steps = 2500;
      convolutional.batch_size = 128;
      for (const char* constraint : {"orthogonal", "spectral"}) {
        convolutional.constraint = constraint;
        AddGrid(convolutional, {3, 5, 7}, &specs);
      }
      same.width = 504;
      same.steps = 1500;
      AddGrid(same, {5}, &specs);
      break;
  }
  AddFree(dense, &specs);
  return specs;
}

absl::StatusOr<NetworkConfig> CriticNetworkOf(const CriticSpec& spec,
                                              int64_t channels, int64_t height,
                                              int64_t width) {
  if (spec.network == "dense") return Dense(spec, channels * height * width);
  if (spec.network == "convolutional") {
    return Convolutional(spec, channels, height, width);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "unknown network '", spec.network, "'; known: dense, convolutional"));
}

}  // namespace lipschitz::experiments
