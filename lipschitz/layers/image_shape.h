// Layers that rearrange the pixels of images. Each is a permutation of the
// entries of every example, hence an isometry in every p-norm, and exact.
#pragma once

#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"

namespace lipschitz {

struct ToImageConfig {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  // Named in errors.
  std::string name = "to_image";

  absl::Status Validate() const;
};

// Rows of numbers to images: (..., channels · height · width) → (batch,
// channels, height, width), read channel by channel, row by row. What stands
// before a network of convolutions, so that it takes the flat inputs that data
// sets, attacks and certificates have. A c10::Error for an invalid config.
class ToImageImpl : public LayerImpl {
 public:
  explicit ToImageImpl(ToImageConfig config);

  // A c10::Error that names the layer for another last dimension.
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;

  const ToImageConfig& config() const { return config_; }

 private:
  ToImageConfig config_;
};
TORCH_MODULE(ToImage);

// Its inverse for images of any size: (batch, channels, height, width) →
// (batch, channels · height · width).
class FlattenImpl : public LayerImpl {
 public:
  explicit FlattenImpl(std::string name = "flatten");

  // A c10::Error that names the layer for another number of dimensions.
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;
};
TORCH_MODULE(Flatten);

struct SpaceToDepthConfig {
  // Of height and width.
  int64_t factor = 2;
  std::string name = "space_to_depth";

  absl::Status Validate() const;
};

// Down-sampling that loses nothing: (batch, c, h, w) → (batch, c · factor²,
// h/factor, w/factor). Channel (c · factor + r) · factor + t has the pixels
// whose row is r and whose column is t modulo the factor.
class SpaceToDepthImpl : public LayerImpl {
 public:
  explicit SpaceToDepthImpl(SpaceToDepthConfig config);

  // A c10::Error that names the layer where the factor does not divide the
  // image's height and width.
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;

  const SpaceToDepthConfig& config() const { return config_; }

 private:
  SpaceToDepthConfig config_;
};
TORCH_MODULE(SpaceToDepth);

}  // namespace lipschitz
