#include "lipschitz/layers/image_shape.h"

#include <ATen/ATen.h>

#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lipschitz {
namespace {

int64_t RoundedUp(int64_t size, int64_t factor) {
  return (size + factor - 1) / factor * factor;
}

}  // namespace

absl::Status ToImageConfig::Validate() const {
  if (channels >= 1 && height >= 1 && width >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "layer '", name, "': channels, height and width must be at least 1, got ",
      channels, ", ", height, " and ", width));
}

ToImageImpl::ToImageImpl(ToImageConfig config)
    : LayerImpl(config.name), config_(std::move(config)) {
  const absl::Status valid = config_.Validate();
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
}

torch::Tensor ToImageImpl::forward(const torch::Tensor& x) {
  const int64_t size = config_.channels * config_.height * config_.width;
  TORCH_CHECK(x.dim() >= 1 && x.size(-1) == size, "layer '", name(),
              "': the input's last dimension must be ", config_.channels, "·",
              config_.height, "·", config_.width, " = ", size,
              ", got the shape ", x.sizes());
  return x.reshape(
      {x.numel() / size, config_.channels, config_.height, config_.width});
}

absl::StatusOr<BoundTable> ToImageImpl::LipschitzBounds() {
  return BoundTable::SameNorm(1.0);
}

void ToImageImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::ToImage(" << config_.channels << ", " << config_.height
         << ", " << config_.width << ")";
}

FlattenImpl::FlattenImpl(std::string name) : LayerImpl(std::move(name)) {}

torch::Tensor FlattenImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() == 4, "layer '", name(),
              "': expected the shape (batch, channels, height, width), got ",
              x.sizes());
  return x.reshape({x.size(0), x.size(1) * x.size(2) * x.size(3)});
}

absl::StatusOr<BoundTable> FlattenImpl::LipschitzBounds() {
  return BoundTable::SameNorm(1.0);
}

void FlattenImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::Flatten()";
}

absl::Status SpaceToDepthConfig::Validate() const {
  if (factor >= 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "layer '", name, "': the factor must be at least 1, got ", factor));
}

SpaceToDepthImpl::SpaceToDepthImpl(SpaceToDepthConfig config)
    : LayerImpl(config.name), config_(std::move(config)) {
  const absl::Status valid = config_.Validate();
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
}

torch::Tensor SpaceToDepthImpl::forward(const torch::Tensor& x) {
  TORCH_CHECK(x.dim() == 4, "layer '", name(),
              "': expected the shape (batch, channels, height, width), got ",
              x.sizes());
  TORCH_CHECK(
      x.size(2) % config_.factor == 0 && x.size(3) % config_.factor == 0,
      "layer '", name(), "': height and width must be multiples of the factor ",
      config_.factor, ", got the shape ", x.sizes(),
      "; nearest that fit: ", x.size(2) - x.size(2) % config_.factor, " × ",
      x.size(3) - x.size(3) % config_.factor, " (cropped) or ",
      RoundedUp(x.size(2), config_.factor), " × ",
      RoundedUp(x.size(3), config_.factor), " (padded)");
  return at::pixel_unshuffle(x, config_.factor);
}

absl::StatusOr<BoundTable> SpaceToDepthImpl::LipschitzBounds() {
  return BoundTable::SameNorm(1.0);
}

void SpaceToDepthImpl::pretty_print(std::ostream& stream) const {
  stream << "lipschitz::SpaceToDepth(" << config_.factor << ")";
}

}  // namespace lipschitz
