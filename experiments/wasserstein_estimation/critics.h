// The critics that the experiment compares.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/common/record.h"
#include "experiments/common/settings.h"
#include "lipschitz/models/network.h"
#include "lipschitz/optim/optimizer.h"

namespace lipschitz::experiments {

// What a critic is trained and evaluated on.
enum class Protocol {
  // Trained on training images, evaluated on others.
  kHeldOut,
  // Trained and evaluated on the images whose exact distance is known.
  kSameSamples,
};

// "held_out", "same_samples".
std::string ProtocolName(Protocol protocol);

// How a critic is kept from being arbitrarily steep.
enum class CriticKind {
  kConstrained,
  // Not by its layers, so that its mean difference alone is no bound; see
  // free_critic.h.
  kGradientPenalty,
  kClipping,
};

struct CriticSpec {
  Protocol protocol = Protocol::kHeldOut;
  CriticKind kind = CriticKind::kConstrained;
  // "dense" or "convolutional".
  std::string network = "dense";
  // Of dense networks "stiefel", "bjorck" or "spectral", of convolutional ones
  // "orthogonal" or "spectral"; of free critics "gradient_penalty" or
  // "clipping".
  std::string constraint = "stiefel";
  std::string activation = "maxmin";
  // Hidden layers: dense ones; or (depth − 1) / 2 convolutions at half of the
  // image's size, as many at a quarter of it, and a dense layer.
  int64_t depth = 3;

  // Of the hidden layers, before their activations; of convolutional networks
  // that of the dense layer, and of the convolutions the given channels at half
  // and at a quarter of the images' size.
  int64_t width = 144;
  int64_t half_channels = 36;
  int64_t quarter_channels = 72;

  int64_t steps = 1000;
  // Of each side; 0: all.
  int64_t batch_size = 256;
  double learning_rate = 1e-2;
  OptimizerKind optimizer = OptimizerKind::kAdam;
  // See WassersteinConfig.
  bool standardise = true;

  // Not run unless it is asked for: a dense critic by its depth, a
  // convolutional one by its network.
  bool on_request = false;

  // "dense-stiefel-maxmin-3", with "same_samples-" before it.
  std::string Slug() const;
  // What tables group by, and what else the metrics depend on.
  Json Variant(const std::string& generator) const;
  Json Config() const;
};

// Every activation of the comparison; all widths here are multiples of their
// group sizes.
const std::vector<std::string>& CriticActivations();

// Those of the preset, in the order of the tables, and those on request.
std::vector<CriticSpec> CriticSpecs(Preset preset);

// InvalidArgument for names that are unknown and sizes that do not fit.
absl::StatusOr<NetworkConfig> CriticNetworkOf(const CriticSpec& spec,
                                              int64_t channels, int64_t height,
                                              int64_t width);

}  // namespace lipschitz::experiments
