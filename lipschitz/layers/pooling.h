// Pooling over windows of images (batch, channels, height, width), each channel
// by itself.
#pragma once

#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lipschitz/base/layer.h"

namespace lipschitz {

// Windows of kernel × kernel pixels, `stride` apart in both directions, without
// padding: an image h × w gives ⌊(h − kernel)/stride⌋ + 1 by ⌊(w −
// kernel)/stride⌋ + 1 of them. Rows and columns at the end that do not fill a
// window are left out.
struct PoolWindows {
  int64_t kernel = 2;
  int64_t stride = 2;

  // InvalidArgument that names the layer for sizes outside [1, 2^14].
  absl::Status Validate(const std::string& layer) const;

  // The windows that a pixel is in along one direction, at most:
  // ⌈kernel/stride⌉.
  int64_t Overlap() const;
};

struct MaxPool2dConfig {
  PoolWindows windows;
  // Named in errors.
  std::string name = "max_pool";
};

// The largest entry of every window.
//
// Each output moves by at most the largest change in its window, and a pixel is
// in at most c = ⌈kernel/stride⌉² windows: ‖Δy‖_p ≤ c^{1/p} ‖Δx‖_p, which is
// 1-Lipschitz in every norm where windows do not overlap. From l2 or l1 to linf
// 1, from l1 to l2 √c; attained on images with a pixel in c windows. Norms that
// grow with the number of pixels stay unbounded (infinite).
class MaxPool2dImpl : public LayerImpl {
 public:
  // A c10::Error for an invalid config.
  explicit MaxPool2dImpl(MaxPool2dConfig config);

  // A c10::Error that names the layer for an image smaller than the window.
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;

  const MaxPool2dConfig& config() const { return config_; }

 private:
  MaxPool2dConfig config_;
};
TORCH_MODULE(MaxPool2d);

struct AveragePool2dConfig {
  PoolWindows windows;
  // Multiplies the means so that the bound from l2 to l2 is 1: by the kernel's
  // size where windows do not overlap.
  bool scaled = false;
  // Named in errors.
  std::string name = "average_pool";
};

// The mean of every window, times AppliedScale.
//
// A linear map, the same for every channel, and the product of one in each
// direction, whose bounds are the suprema over images of any size. With n_r the
// offsets below kernel that leave the remainder r modulo stride, the norm from
// l2 to l2 is Σ n_r² / kernel²: its Fourier transform is largest at frequency
// zero, no entry being negative. That is 1/kernel where windows do not overlap.
// Norms that grow with the number of pixels stay unbounded (infinite).
class AveragePool2dImpl : public LayerImpl {
 public:
  // A c10::Error for an invalid config.
  explicit AveragePool2dImpl(AveragePool2dConfig config);

  // A c10::Error that names the layer for an image smaller than the window.
  torch::Tensor forward(const torch::Tensor& x) override;
  absl::StatusOr<BoundTable> LipschitzBounds() override;
  void pretty_print(std::ostream& stream) const override;

  // 1, unless scaled: kernel² / Σ n_r², rounded down to a float32.
  double AppliedScale() const { return scale_; }

  const AveragePool2dConfig& config() const { return config_; }

 private:
  AveragePool2dConfig config_;
  double scale_ = 1.0;
};
TORCH_MODULE(AveragePool2d);

}  // namespace lipschitz
